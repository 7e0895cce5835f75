"""The `saccade` command: wiring between a person's words and the pipeline. A system is one row of `SYSTEMS`.

torch is imported inside the commands, so that `--help` comes at once.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

import baseline.config
import draw.config
import glimpse.config
from recurrent.config import TABLES, default_run, to_dict
from recurrent.errors import InputError
from recurrent.experiment import choose, read_rows, read_seeds
from recurrent.failures import PlainFailures
from recurrent.options import apply, with_options
from recurrent.toml import read_run, row_folder, write_run


class System(NamedTuple):
    """A system as the command line knows it, and its verbs beside `train` and `eval`."""

    config: type
    verbs: tuple[str, ...]
    help: str


SYSTEMS = {
    "glimpse": System(
        glimpse.config.Config, ("gif", "read"), "Read images by a few glimpses: the Recurrent Attention Model."
    ),
    "draw": System(draw.config.Config, ("generate", "gif", "complete"), "Write images step by step: DRAW."),
    "baseline": System(baseline.config.Config, (), "Networks that see the whole image at once, for comparison."),
}
NEXT = {"glimpse": ["gif {} --index 7"], "draw": ["gif {} --count 36"], "baseline": []}
"""What a person may want to do after an evaluation."""

DEFAULT = {"glimpse": Path("ram-mnist"), "draw": Path("draw-mnist")}
"""The shipped network that a verb takes where no data are needed and none is named; with --text, DEFAULT_LABELLED."""

DEFAULT_LABELLED = Path("draw-mnist-labelled")

ABREAST = 8
"""Most endings beside one another; more stand in rows."""

CORE_RUNS = Path("runs/cores")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")]
RUN_HELP = "The folder that a training wrote, or the name of a shipped network (`saccade models`)."
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help=RUN_HELP, show_default=False)]
RunOrShipped = Annotated[Path | None, typer.Argument(metavar="[RUN]", help=RUN_HELP, show_default=False)]
DataDir = Annotated[str | None, typer.Option(help="Folder of the data, if it is not the training's.")]
Split = Annotated[Literal["test", "validation"], typer.Option(help="Which held-out images.")]
StripFile = Annotated[Path | None, typer.Option(help="Write a film strip too: this PNG.")]
Condition = Annotated[str | None, typer.Option(help="Whose gaze, e.g. random; the policy's mean by default.")]
Seconds = Annotated[float, typer.Option(min=0.02, max=10, help="Seconds a glimpse is shown.")]
StepSeconds = Annotated[float, typer.Option("--seconds", min=0.02, max=10, help="Seconds a step is shown.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the latents.")]
FigureFile = Annotated[Path, typer.Option(help="Draw the figure into this PNG.")]
CoreRuns = Annotated[Path, typer.Option(help="Folder of the run folders that `saccade cores` trains.")]


def train_command(system: str) -> Callable[..., None]:
    """The verb `train` of a system."""

    def train(
        ctx: typer.Context,
        config: Annotated[Path | None, typer.Option(help="TOML file of settings; options override it.")] = None,
        row: Annotated[str | None, typer.Option(help="Row of that file, where it has rows.")] = None,
        out: Annotated[Path | None, typer.Option(help="Run folder; by default runs/SYSTEM or runs/FILE/ROW.")] = None,
        fresh: Annotated[bool, typer.Option("--fresh/--resume", help="Begin anew, or go on where it stopped.")] = False,
        evaluate: Annotated[bool, typer.Option("--eval/--no-eval", help="Evaluate on the test images too.")] = False,
        tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write OUT/tensorboard too.")] = False,
        show_config: Annotated[bool, typer.Option("--show-config", help="Print the settings as TOML; stop.")] = False,
        as_json: AsJson = False,
        *,
        given: dict[str, dict[str, Any]],
    ) -> None:
        """Train a network; the same command again resumes.

        Every setting below is also a key of the file that --config names; what is typed here overrides the file.
        """
        if row is not None and config is None:
            raise InputError("--config beside --row", f"--row {row} alone", "name the TOML file with --config")
        model = SYSTEMS[system].config
        run = apply(read_run(config, system, model, row) if config else default_run(system, model), given)
        if show_config:
            typer.echo(json.dumps(to_dict(run)) if as_json else write_run(run).strip())
            return
        out = out or (row_folder(config, row or "") if config else Path("runs", system))
        from recurrent import terminal, verbs

        result = verbs.learn(run, out, fresh=fresh, tensorboard=tensorboard)
        if result is None:  # one of several processes, and not the one that writes
            return
        terminal.say("finished" if result["wrote"] else f"{out} is finished already; --fresh begins anew")
        if evaluate and as_json:
            result["metrics"], files = verbs.measure(*verbs.open_images(system, out), "test")
            result["wrote"] += files
        if evaluate and not as_json:
            terminal.give({"wrote": result["wrote"]})
            report(system, out)
        else:
            terminal.give(result | {"next": [f"saccade {system} eval {out}"]}, as_json=as_json)

    defaults = default_run(system, SYSTEMS[system].config)
    return with_options(train, {table: getattr(defaults, table) for table in TABLES})


def eval_command(system: str) -> Callable[..., None]:
    """The verb `eval` of a system."""

    def evaluate(path: RunPath, data_dir: DataDir = None, split: Split = "test", as_json: AsJson = False) -> None:
        """Measure the error on held-out images; writes metrics.json (validation: metrics-validation.json) into RUN."""
        report(system, path, data_dir, split, as_json=as_json)

    return evaluate


def estimate_command(system: str) -> Callable[..., None]:
    """The verb `eval` of a system that draws."""

    def evaluate(
        path: RunPath,
        samples: Annotated[
            int, typer.Option(help="Samples K of the importance-weighted estimate; takes its time.")
        ] = 10,
        judge: Annotated[
            Path | None, typer.Option(help="Run of a classifier that reads what is drawn (--labelled networks).")
        ] = None,
        judged: Annotated[int, typer.Option(min=1, max=10_000, help="Drawings of each class for it.")] = 100,
        data_dir: DataDir = None,
        split: Split = "test",
        as_json: AsJson = False,
    ) -> None:
        """Measure the bound on held-out images, nats an image; writes metrics.json and kl-per-step.png into RUN."""
        model = {"importance_samples": samples}
        report(system, path, data_dir, split, as_json=as_json, model=model, judge=judge, judged=judged)

    return evaluate


def generate_command(system: str) -> Callable[..., None]:
    """The verb `generate` of a system that draws."""

    def generate(
        path: RunOrShipped = None,
        count: Annotated[int, typer.Option(min=1, max=10_000, help="How many images.")] = 64,
        text: Annotated[str | None, typer.Option(help="Write this, a class a character (--labelled networks).")] = None,
        out: Annotated[
            Path | None,
            typer.Option(
                help="Sheet of the finished images: a PNG; RUN/sheet.png, for a shipped network in runs/models/NAME."
            ),
        ] = None,
        gif: Annotated[Path | None, typer.Option(help="Film of how they are drawn: .gif, .webp or .png.")] = None,
        strip: StripFile = None,
        neighbours: Annotated[
            Path | None, typer.Option(help="Sheet of the images beside their nearest training images: a PNG.")
        ] = None,
        seconds: StepSeconds = 0.15,
        seed: Seed = 0,
        data_dir: DataDir = None,
        as_json: AsJson = False,
    ) -> None:
        """Draw new images, from noise alone; without RUN by the shipped network."""
        from recurrent import studio, terminal, verbs

        path = path or (DEFAULT[system] if text is None else DEFAULT_LABELLED)
        network, source = verbs.open_network(system, path), None
        out = out or verbs.place(network.folder.path) / "sheet.png"
        studio.check(films=[gif], sheets=[out, strip, neighbours])
        if neighbours:
            network, source = verbs.open_images(system, path, data_dir)
        labels = [-1] * count if text is None else studio.labels_of(text, network.folder.classes)
        trace = studio.imagine(network, labels, seed)
        columns = None if text is None else len(text)
        found, wrote = {}, []
        if neighbours and source:
            from recurrent.neighbours import compare, sheet

            nearest, found["neighbours"] = compare(trace, source)
            wrote.append(sheet(trace, nearest, neighbours))
            if not as_json:
                terminal.show_neighbours(found["neighbours"])
        wrote.append(studio.sheet(network, trace, out, columns))
        wrote += [studio.film(network, trace, gif, seconds, columns)] if gif else []
        wrote += [studio.strip(network, trace, strip)] if strip else []
        terminal.give({"wrote": wrote, **found}, as_json=as_json)

    return generate


def film_command(system: str) -> Callable[..., None]:
    """The verb `gif` of a system that draws."""

    def gif(
        path: RunPath,
        count: Annotated[int, typer.Option(min=1, max=400, help="How many drawings beside one another.")] = 1,
        reconstruct: Annotated[
            bool, typer.Option("--reconstruct", help="Redraw held-out images while looking.")
        ] = False,
        index: Annotated[int, typer.Option(help="Which image of the split to redraw, from 0.")] = 0,
        out: Annotated[Path | None, typer.Option(help="File (.gif, .webp, .png); or RUN/writing.gif.")] = None,
        strip: StripFile = None,
        seconds: StepSeconds = 0.15,
        seed: Seed = 0,
        data_dir: DataDir = None,
        split: Split = "test",
        as_json: AsJson = False,
    ) -> None:
        """Show the canvases appear, and the window that writes move over them."""
        from recurrent import studio, terminal, verbs

        if reconstruct:
            network, source = verbs.open_images(system, path, data_dir)
            trace = verbs.look(network, verbs.held_out(source, split, index, count))
            name = f"redrawing-{index}.gif"
        else:
            network = verbs.open_network(system, path)
            trace, name = studio.imagine(network, [-1] * count, seed), "writing.gif"
        wrote = [studio.film(network, trace, out or verbs.place(network.folder.path) / name, seconds)]
        wrote += [studio.strip(network, trace, strip)] if strip else []
        terminal.give({"wrote": wrote}, as_json=as_json)

    return gif


def gif_command(system: str) -> Callable[..., None]:
    """The verb `gif` of a system."""

    def gif(
        path: RunPath,
        index: Annotated[int, typer.Option(help="Which image of the split, from 0.")] = 0,
        count: Annotated[int, typer.Option(help="So many images from there on, beside one another.")] = 1,
        out: Annotated[Path | None, typer.Option(help="File (.gif, .webp, .png); or RUN/gaze-INDEX.gif.")] = None,
        strip: StripFile = None,
        condition: Condition = None,
        seconds: Seconds = 0.8,
        data_dir: DataDir = None,
        split: Split = "test",
        as_json: AsJson = False,
    ) -> None:
        """Show where the network looks, what it sees there, and what it believes."""
        from recurrent import terminal, verbs

        network, source = verbs.open_images(system, path, data_dir)
        batch = verbs.held_out(source, split, index, count)
        name = f"gaze-{index}.gif" if count == 1 else f"gaze-{index}-to-{index + count - 1}.gif"
        trace = verbs.look(network, batch, condition)
        wrote = verbs.draw(network, trace, out or verbs.place(network.folder.path) / name, strip, seconds)
        result = {"wrote": wrote, "split": split, "answers": verbs.answers(trace, range(index, index + count))}
        if not as_json:
            terminal.show_answers(result["answers"])
        terminal.give(result, as_json=as_json)

    return gif


def complete_command(system: str) -> Callable[..., None]:
    """The verb `complete` of a system that draws."""

    def complete(
        path: RunPath,
        image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The unfinished picture.", show_default=False)],
        mask: Annotated[Path | None, typer.Option(help="Picture whose white part says what is given.")] = None,
        keep: Annotated[
            Literal["top", "bottom", "left", "right"] | None, typer.Option(help="Or: the half that is given.")
        ] = None,
        count: Annotated[int, typer.Option(min=1, max=100, help="How many endings.")] = 6,
        out: Annotated[Path | None, typer.Option(help="File (.gif, .webp, .png); or RUN/endings.gif.")] = None,
        strip: StripFile = None,
        seconds: StepSeconds = 0.15,
        seed: Seed = 0,
        as_json: AsJson = False,
    ) -> None:
        """Finish an unfinished picture in several ways.

        Without --mask and --keep, what is not transparent is given; in a digit without transparency, all but its
        blank side. The given pixels are shown as they are, in blue.
        """
        from recurrent import studio, terminal, verbs

        network = verbs.open_network(system, path)
        part = studio.unfinished(network, image, mask, keep)
        out = out or verbs.place(network.folder.path) / "endings.gif"
        studio.check(films=[out], sheets=[strip])
        trace, found = studio.finish(network, part, count, seed)
        columns = count if count <= ABREAST else None
        wrote = [studio.film(network, trace, out, seconds, columns)]
        wrote += [studio.strip(network, trace, strip)] if strip else []
        if not as_json:
            terminal.show_endings(found)
        terminal.give({"wrote": wrote, **found}, as_json=as_json)

    return complete


def read_command(system: str) -> Callable[..., None]:
    """The verb `read` of a system."""

    def read(
        files: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.", show_default=False)],
        run: Annotated[Path, typer.Option(help="A trained network's run folder, or a shipped one's name.")] = DEFAULT[
            system
        ],
        gif: Annotated[Path | None, typer.Option(help="Draw the gaze into this file: .gif, .webp or .png.")] = None,
        strip: StripFile = None,
        condition: Condition = None,
        seconds: Seconds = 0.8,
        as_json: AsJson = False,
    ) -> None:
        """Read your own image files: label, probabilities and gaze."""
        from recurrent import terminal, verbs

        network = verbs.open_network(system, run)
        trace = verbs.look(network, verbs.read_files(network, files), condition)
        wrote = verbs.draw(network, trace, gif, strip, seconds)
        answers = verbs.answers(trace, [str(file) for file in files])
        if not as_json:
            terminal.show_answers(answers)
        terminal.give({"wrote": wrote, "answers": answers}, as_json=as_json)

    return read


def report(
    system: str,
    path: Path,
    data_dir: str | None = None,
    split: Split = "test",
    *,
    as_json: bool = False,
    model: dict[str, Any] | None = None,
    judge: Path | None = None,
    judged: int = 0,
) -> None:
    """Measure a trained network, under other settings of its `model` if asked, and show what was found."""
    from recurrent import terminal, verbs

    network, source = verbs.open_images(system, path, data_dir)
    network = verbs.with_model(network, **(model or {}))
    further = None
    if judge:
        from recurrent.judge import agreement, open_judge

        further = agreement(network, open_judge(network, judge), source, split, judged)
    metrics, wrote = verbs.measure(network, source, split, further)
    if as_json:
        terminal.give(metrics, as_json=True)
        return
    terminal.show_metrics(metrics, network.folder.classes, f"{path}: {metrics['examples']:,} {split} images")
    terminal.give({"wrote": wrote, "next": [f"saccade {system} {words.format(path)}" for words in NEXT[system]]})


def models_app() -> typer.Typer:
    """The verb `models`: alone it lists the shipped networks; `models add` makes one."""
    app = typer.Typer(
        help="List the trained networks that come with Saccade, or make one.", invoke_without_command=True
    )

    @app.callback()
    def models(ctx: typer.Context, as_json: AsJson = False) -> None:
        if ctx.invoked_subcommand is not None:
            return
        from recurrent import shipped, terminal

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
        from recurrent import publish, terminal

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
    known = read_rows(file, {name: system.config for name, system in SYSTEMS.items()})
    chosen = choose(known, rows.split(",") if rows else None, file)
    numbers = read_seeds(seeds)
    out = out or Path("runs", file.stem)
    from recurrent import table, terminal

    results = results or out
    table.check(results, file, known)
    outcomes = []
    if not collect:
        from recurrent.reproduce import reproduce as train

        outcomes = train(known, chosen, numbers, out, jobs=jobs, threads=threads, tell=terminal.tell_outcome)
    wrote, odd = table.write_tables(out, results, file, known)
    for line in odd:
        terminal.say(f"saccade: left out: {line}")
    told = [{"row": o.task.row, "seed": o.task.run.train.seed, "status": o.status, "text": o.text} for o in outcomes]
    terminal.give({"runs": told, "left_out": odd, "wrote": wrote}, as_json=as_json)
    if any(outcome.status == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def gradients(
    steps: Annotated[int, typer.Option(min=2, max=1000, help="Numbers in the adding problem's sequences.")] = 100,
    updates: Annotated[int, typer.Option(min=0, max=100_000, help="Of the short training on it.")] = 800,
    out: FigureFile = Path("gradients.png"),
    runs: CoreRuns = CORE_RUNS,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the weights and the sequences.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show vanishing gradients: |dL/dh_t| by distance from the loss, for each core, by depth and truncation.

    On the adding problem before and after a short training, and in RAM and DRAW (trained ones where `saccade cores`
    left them).
    """
    from cores import figures, flow, flow_figure
    from recurrent import terminal

    figures.check(out)
    found = flow.measure(steps, updates, runs, terminal.say, seed)
    wrote = [str(figures.save(flow_figure.draw(found), out))]
    terminal.give({**found, "wrote": wrote} if as_json else {"wrote": wrote}, as_json=as_json)


def cores(
    out: FigureFile = Path("cores.png"),
    runs: CoreRuns = CORE_RUNS,
    epochs: Annotated[int | None, typer.Option(min=1, help="For every network; by default RAM 100, DRAW 40.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=20, help="Trainings of each, with the seeds 0, 1, ...")] = 1,
    as_json: AsJson = False,
) -> None:
    """Compare vanilla RNN, LSTM and GRU in RAM and in DRAW: quality, time a step, parameters; resumes."""
    from cores import compare, compare_figure, figures
    from recurrent import terminal

    figures.check(out)
    rows = compare.measure(runs, terminal.say, epochs=epochs, seeds=seeds)
    wrote = [str(figures.save(compare_figure.draw(rows), out))]
    if not as_json:
        terminal.show_table("Which core? Less is better; CPU ms: of a training step", compare.table(rows))
    terminal.give({"cores": rows, "wrote": wrote} if as_json else {"wrote": wrote}, as_json=as_json)


def _build() -> typer.Typer:
    """The app: a sub-app for every system."""
    about = "Recurrent networks that look and draw. Begin with `saccade glimpse train`; --help works after every word."
    app = typer.Typer(cls=PlainFailures, help=about, no_args_is_help=True, add_completion=False)
    for name, system in SYSTEMS.items():
        draws = "generate" in system.verbs
        known = {"generate": generate_command, "complete": complete_command, "read": read_command}
        known |= {"gif": film_command if draws else gif_command}
        verbs = {"train": train_command, "eval": estimate_command if draws else eval_command}
        verbs |= {verb: known[verb] for verb in system.verbs}
        group = typer.Typer(help=system.help, no_args_is_help=True)
        for verb, command in verbs.items():
            group.command(verb)(command(name))
        app.add_typer(group, name=name)
    app.add_typer(models_app(), name="models")
    for command in (reproduce, gradients, cores):
        app.command()(command)
    return app


app = _build()


def main() -> None:
    """The entry point of `saccade`."""
    app(prog_name="saccade")


if __name__ == "__main__":
    main()
