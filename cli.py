"""The `saccade` command: a group of verbs for every system, and the verbs above them. Nothing but wiring.

torch is imported inside the verbs, so that `--help` comes at once.
"""

from pathlib import Path
from typing import Annotated

import typer

from saccade.baseline import commands as baseline
from saccade.bench import commands as bench_commands
from saccade.cores import commands as core_commands
from saccade.draw import commands as draw
from saccade.glimpse import commands as glimpse
from saccade.pipeline.provenance import version
from saccade.tables.rows import choose, read_rows, read_seeds
from saccade.terminal.exit import PlainFailures
from saccade.terminal.verbs import AsJson, RunPath

SYSTEMS = {"glimpse": glimpse, "draw": draw, "baseline": baseline}


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"saccade {version() or '(not installed)'}")
        raise typer.Exit


def saccade(
    tell: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version; stop.")
    ] = False,
) -> None:
    """What stands above all verbs; the app's own help says what they do."""


def models_app() -> typer.Typer:
    """The verb `models`: alone it lists the shipped networks; `models add` makes one."""
    app = typer.Typer(
        help="List the trained networks that come with Saccade, or make one.", invoke_without_command=True
    )

    @app.callback()
    def models(ctx: typer.Context, as_json: AsJson = False) -> None:
        if ctx.invoked_subcommand is not None:
            return
        from saccade.shipped import catalogue as shipped
        from saccade.terminal import screen as terminal

        found = shipped.listing()
        if as_json:
            terminal.give({"models": found}, as_json=True)
        else:
            terminal.show_models(found)

    @app.command()
    def add(
        run: RunPath,
        name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.", show_default=False)],
        about: Annotated[str, typer.Option(help="A line that says what it is.", show_default=False)],
        bad_at: Annotated[list[str] | None, typer.Option(help="What it is bad at; may be given again.")] = None,
        into: Annotated[
            Path | None, typer.Option(help="Folder to put it into, instead of the source's models/.")
        ] = None,
        replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of one of that name.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Make a shipped network of a finished, measured run: weights alone, settings, metrics, curve, model card."""
        from saccade.shipped import publish
        from saccade.terminal import screen as terminal

        folder = publish.add(run, name, about, bad_at or (), into, replace=replace)
        terminal.give({"wrote": [str(file) for file in sorted(folder.iterdir())]}, as_json=as_json)

    return app


def reproduce(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table's TOML file.", show_default=False)],
    rows: Annotated[str | None, typer.Option(help="Rows of it, by commas; all of them by default.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, by commas.")] = "0,1,2",
    jobs: Annotated[int, typer.Option(min=1, help="Runs at once, a process each.")] = 1,
    threads: Annotated[int, typer.Option(min=0, help="Processor threads of a run; 0 shares them out.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder of the run folders; by default runs/FILE.")] = None,
    results: Annotated[Path | None, typer.Option(help="Folder of the tables; by default the runs'.")] = None,
    collect: Annotated[bool, typer.Option("--collect", help="Train nothing: only make the tables.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a paper's table: train and measure what is missing, and write it beside the paper's numbers.

    The same command goes on where it stopped; on several machines that share the folder, they share the rows.
    """
    known = read_rows(file, {name: system.Config for name, system in SYSTEMS.items()})
    chosen = choose(known, rows.split(",") if rows else None, file)
    numbers = read_seeds(seeds)
    out = out or Path("runs", file.stem)
    from saccade.tables import table
    from saccade.terminal import screen as terminal

    results = results or out
    table.check(results, file, known)
    outcomes = []
    if not collect:
        from saccade.tables.reproduce import reproduce as train

        outcomes = train(known, chosen, numbers, out, jobs=jobs, threads=threads, tell=terminal.tell_outcome)
    wrote, odd = table.write_tables(out, results, file, known)
    for line in odd:
        terminal.say(f"saccade: left out: {line}")
    told = [{"row": o.task.row, "seed": o.task.run.train.seed, "status": o.status, "text": o.text} for o in outcomes]
    terminal.give({"runs": told, "left_out": odd, "wrote": wrote}, as_json=as_json)
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def _build() -> typer.Typer:
    """The app: a sub-app for every system."""
    about = "Recurrent networks that look and draw. Begin with `saccade glimpse train`; --help works after every word."
    app = typer.Typer(cls=PlainFailures, help=about, no_args_is_help=True, add_completion=False)
    app.callback()(saccade)
    for name, system in SYSTEMS.items():
        group = typer.Typer(help=system.HELP, no_args_is_help=True)
        for verb, command in system.VERBS.items():
            group.command(verb)(command)
        app.add_typer(group, name=name)
    app.add_typer(models_app(), name="models")
    measuring = core_commands.gradients, core_commands.cores, bench_commands.benchmark, bench_commands.report
    for command in (reproduce, *measuring):
        app.command()(command)
    return app


app = _build()


def main() -> None:
    """The entry point of `saccade`."""
    app(prog_name="saccade")


if __name__ == "__main__":
    main()
