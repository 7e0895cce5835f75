"""The verb `saccade models`. Torch-free until it runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saccade.pipeline import outputs
from saccade.terminal.arguments import AsJson, Overwrite, RunPath

if TYPE_CHECKING:
    from saccade.shipped.catalogue import ShippedNetwork

SAMPLES = Path(__file__).with_name("samples")
"""Pictures drawn for this package, each with Saccade's mark."""

app = typer.Typer(help="List the trained networks that come with Saccade, or add one.", invoke_without_command=True)


@app.callback()
def models(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the shipped networks."""
    if ctx.invoked_subcommand is not None:
        return
    from saccade.shipped import catalogue
    from saccade.terminal import screen

    networks = catalogue.listing()
    if as_json:
        screen.give({"models": networks}, as_json=True)
    else:
        show_models(networks)


@app.command()
def add(
    run: RunPath,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the shipped network.", show_default=False)],
    about: Annotated[str, typer.Option(help="Description of the network in one line.", show_default=False)],
    bad_at: Annotated[list[str] | None, typer.Option(help="A known weakness; may be repeated.")] = None,
    into: Annotated[
        Path | None, typer.Option(help="Folder for the network; by default saccade/shipped/networks in the source.")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store the weights in 16 bits; measure it again then.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the shipped network of that name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a shipped network from a finished and measured run: weights, settings, metrics, curve and model card."""
    from saccade.shipped import publish
    from saccade.terminal import screen

    folder = publish.add(run, name, about, bad_at or (), into, half=half, replace=replace)
    screen.give({"wrote": [str(file) for file in sorted(folder.iterdir())]}, as_json=as_json)


def samples(
    out: Annotated[Path, typer.Option(help="Folder for the pictures; it is made if it is not there.")] = Path("."),
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write sample pictures to try the commands on: digit.png, two.png, three.png, and half.png with its mask.png."""
    from saccade.pipeline.checkpoint.atomic_files import unwritable, write_whole
    from saccade.terminal import screen

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(out, error) from error
    files = sorted(SAMPLES.glob("*.png"))
    for file in files:
        outputs.check(out / file.name, outputs.SHEET, overwrite=overwrite)
    for file in files:
        write_whole(out / file.name, file.read_bytes())
    wrote = [str(out / file.name) for file in files]
    screen.give({"wrote": wrote, "next": [f"saccade glimpse read {out / 'digit.png'}"]}, as_json=as_json)


def show_models(networks: "Sequence[ShippedNetwork]") -> None:
    """Print a table of the shipped networks, and the paths of their model cards."""
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for heading in ("name", "system", "what", "measured", "MB"):
        table.add_column(heading, no_wrap=heading == "name")
    for network in networks:
        measured = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in network["headline"].items())
        megabytes = f"{network['bytes'] / 1e6:.1f}"
        table.add_row(network["name"], network["system"], network["what"], measured, megabytes)
    console = Console(highlight=False)
    console.print(table)
    for network in networks:
        console.print(network["card"], markup=False, soft_wrap=True)
