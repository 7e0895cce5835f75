"""Options and checks that the verbs of `saccade sketch` share. Torch-free."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saccade.errors import InputError
from saccade.pipeline import outputs
from saccade.terminal.arguments import MOST_SEED

if TYPE_CHECKING:
    from saccade.sketch.artist import Artist

SYSTEM = "sketch"
SHEET = (".png", ".svg")

Temperature = Annotated[float, typer.Option(help="Low: the likeliest moves; 1: the network's own spread.")]
Seed = Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of the latents and of every move.")]
StepSeconds = Annotated[float, typer.Option("--seconds", min=0.02, max=10, help="Seconds per move.")]
Sheet = Annotated[Path | None, typer.Option(help="Sheet of the finished drawings: .png or .svg.")]


def open_artist(path: Path) -> "Artist":
    """Open a trained network of this system."""
    from saccade.pipeline.trained import open_trained
    from saccade.sketch.artist import Artist

    network = open_trained(path, SYSTEM)
    assert isinstance(network, Artist)
    return network


def check(
    films: dict[str, Path | None], sheets: dict[str, Path | None], inputs: list[Path] | None = None, *, overwrite: bool
) -> None:
    """Check all files that a command is asked to write; a sheet may be an SVG."""
    drawn = {option: path for option, path in sheets.items() if path is not None and path.suffix.lower() == ".svg"}
    rest = {option: path for option, path in sheets.items() if option not in drawn}
    outputs.check_all(films, rest, inputs=inputs or [], overwrite=overwrite)
    for option, path in drawn.items():
        assert path is not None
        outputs.check(path, SHEET, overwrite=overwrite)
        if any(outputs.same(path, given) for given in inputs or []):
            raise InputError(f"another file than the input for {option}", str(path), "write to another name")
