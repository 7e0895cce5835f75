"""The verb `saccade models`. Torch-free until it runs."""

from pathlib import Path
from typing import Annotated

import typer

from saccade.terminal.arguments import AsJson, RunPath

app = typer.Typer(help="List the trained networks that come with Saccade, or make one.", invoke_without_command=True)


@app.callback()
def models(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the shipped networks."""
    if ctx.invoked_subcommand is not None:
        return
    from saccade.shipped import catalogue
    from saccade.terminal import screen

    found = catalogue.listing()
    if as_json:
        screen.give({"models": found}, as_json=True)
    else:
        screen.show_models(found)


@app.command()
def add(
    run: RunPath,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.", show_default=False)],
    about: Annotated[str, typer.Option(help="A line that says what it is.", show_default=False)],
    bad_at: Annotated[list[str] | None, typer.Option(help="What it is bad at; may be given again.")] = None,
    into: Annotated[
        Path | None, typer.Option(help="Folder to put it into, instead of the source's saccade/shipped/networks.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of one of that name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a shipped network of a finished, measured run: weights alone, settings, metrics, curve, model card."""
    from saccade.shipped import publish
    from saccade.terminal import screen

    folder = publish.add(run, name, about, bad_at or (), into, replace=replace)
    screen.give({"wrote": [str(file) for file in sorted(folder.iterdir())]}, as_json=as_json)
