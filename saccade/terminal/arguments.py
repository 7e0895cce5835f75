"""Arguments and options that several verbs share. Imports only typer."""

from pathlib import Path
from typing import Annotated, Literal

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")]
RUN_HELP = "Run folder of a training, or the name of a shipped network (see `saccade models`)."
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help=RUN_HELP, show_default=False)]
RunOrShipped = Annotated[Path | None, typer.Argument(metavar="[RUN]", help=RUN_HELP, show_default=False)]
DataDir = Annotated[str | None, typer.Option(help="Folder of the dataset; by default the one used in training.")]
Split = Literal["test", "validation"]
SplitName = Annotated[Split, typer.Option("--split", help="Held-out split to use.")]
StripFile = Annotated[Path | None, typer.Option(help="PNG file for a film strip; by default none is written.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that Saccade did not write; its own are always replaced.")
]
Index = Annotated[int, typer.Option(help="Index of the first example of the split, from 0.")]
Count = Annotated[int, typer.Option(min=1, max=400, help="Number of consecutive examples, shown side by side.")]
MOST_SEED = 10**12
"""Largest seed, as of a training."""
