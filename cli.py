"""The `saccade` command: it joins the verbs of every installed system and the verbs that belong to no system.

torch is imported inside the verbs, and a system's options are made when its verb is called, so `--help` is fast.
"""

from typing import Annotated

import typer

from saccade.bench import commands as bench
from saccade.cores import commands as cores
from saccade.shipped import commands as shipped
from saccade.studio import commands as studio
from saccade.tables import commands as tables
from saccade.terminal.exit import OneLineFailures
from saccade.terminal.groups import with_systems

ABOUT = "Recurrent networks that look and draw. Start with `saccade glimpse train`; --help works after every word."


def _print_version(asked: bool) -> None:
    if asked:
        from saccade.pipeline.provenance import version

        typer.echo(f"saccade {version() or '(not installed)'}")
        raise typer.Exit


def saccade(
    asked: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options that come before a verb."""


def _build() -> typer.Typer:
    app = typer.Typer(cls=with_systems(OneLineFailures), help=ABOUT, no_args_is_help=True)
    app.callback()(saccade)
    app.add_typer(shipped.app, name="models")
    own = (shipped.samples, studio.studio, studio.export, tables.reproduce)
    for command in (*own, cores.gradients, cores.cores, bench.benchmark, bench.report):
        app.command()(command)
    return app


app = _build()


def main() -> None:
    """Run the `saccade` command."""
    app(prog_name="saccade")


if __name__ == "__main__":
    main()
