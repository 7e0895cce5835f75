"""Arguments and options that several verbs share. Imports nothing but typer."""

from pathlib import Path
from typing import Annotated, Literal

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")]
RUN_HELP = "The folder that a training wrote, or the name of a shipped network (`saccade models`)."
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help=RUN_HELP, show_default=False)]
RunOrShipped = Annotated[Path | None, typer.Argument(metavar="[RUN]", help=RUN_HELP, show_default=False)]
DataDir = Annotated[str | None, typer.Option(help="Folder of the data, if it is not the training's.")]
SplitName = Annotated[Literal["test", "validation"], typer.Option("--split", help="Which held-out examples.")]
StripFile = Annotated[Path | None, typer.Option(help="Write a film strip too: this PNG.")]
Index = Annotated[int, typer.Option(help="Which example of the split, from 0.")]
Count = Annotated[int, typer.Option(help="Number of consecutive examples, shown side by side.")]
