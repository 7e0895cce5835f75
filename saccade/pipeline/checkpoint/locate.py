"""The folder of a network: a run folder, or a network that comes with Saccade, by its name. Torch-free.

A shipped network is a folder in `saccade/shipped/networks`, installed with the rest and never written to. Wherever a
run folder is taken, the name of one may stand; a file or folder of that name in the current folder goes before it.
"""

import os
from pathlib import Path

from saccade.errors import InputError, closest
from saccade.pipeline.checkpoint.atomic_files import unwritable

NETWORKS = Path(__file__).parents[2] / "shipped" / "networks"
WEIGHTS = "weights.safetensors"
RESULTS = Path("runs/models")
"""Results about a shipped network go here, in the current folder: into a subfolder of its name."""


def shipped_names() -> list[str]:
    """Return the names of the shipped networks."""
    return sorted(path.parent.name for path in NETWORKS.glob(f"*/{WEIGHTS}"))


def find(path: Path | str) -> Path:
    """Return the folder that a user's word means: the path, if something is there, else the shipped network's folder.

    Raises:
        InputError: there is neither, and the word is close to a shipped network's name.
    """
    path = Path(path)
    if len(path.parts) != 1 or os.path.exists(path):  # Path.exists fails for a name that no file can have
        return path
    if path.name in shipped_names():
        return NETWORKS / path.name
    if near := closest(path.name, shipped_names()):
        raise InputError("a run folder or the name of a shipped network", f"no {path}", f"did you mean {near}?")
    return path


def shipped() -> list[Path]:
    """Return the folders of the shipped networks."""
    return [NETWORKS / name for name in shipped_names()]


def is_shipped(folder: Path) -> bool:
    """Return True if a folder is a shipped network's."""
    return folder.parent == NETWORKS and folder.name in shipped_names()


def results_folder(folder: Path) -> Path:
    """Return the folder for files about the network in `folder`: itself, or runs/models/NAME for a shipped network.

    Raises:
        InputError: it cannot be made.
    """
    path = results_path(folder)
    if path == folder:
        return folder
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def results_path(folder: Path) -> Path:
    """Return the path of `results_folder`, which is not made."""
    return RESULTS / folder.name if is_shipped(folder) else folder
