"""The trained networks that come with Saccade, found by their names. Torch-free.

Each is a folder in the package `models`, installed with the rest and never written to: run.json, weights.safetensors,
metrics.json, curve.jsonl, card.md. Wherever a run folder is taken, the name of one may stand; a file or folder of that
name in the current folder goes before it.
"""

from pathlib import Path
from typing import Any

from saccade.errors import InputError, closest
from saccade.pipeline.checkpoint.atomic_files import read_json, unwritable
from saccade.pipeline.checkpoint.run_log import headline

MODELS = Path(__file__).parent / "networks"
WEIGHTS = "weights.safetensors"
PLACE = Path("runs/models")
"""Where results about a shipped network go, in the current folder: in a subfolder of its name."""


def names() -> list[str]:
    """The names of the shipped networks."""
    return sorted(path.parent.name for path in MODELS.glob(f"*/{WEIGHTS}"))


def find(path: Path | str) -> Path:
    """The folder that a person's word means: the path, where something is there, else the shipped network's folder.

    Raises:
        InputError: there is neither, and the word is nearly a shipped network's name.
    """
    path = Path(path)
    if path.exists() or len(path.parts) != 1:
        return path
    if path.name in names():
        return MODELS / path.name
    if near := closest(path.name, names()):
        raise InputError("a run folder or the name of a shipped network", f"no {path}", f"did you mean {near}?")
    return path


def is_shipped(folder: Path) -> bool:
    """Whether a folder is one of the shipped networks'."""
    return folder.parent == MODELS and folder.name in names()


def place(folder: Path) -> Path:
    """Where files about the network in a folder go unless a person says otherwise; it is made if it is not there.

    That is the run folder itself; runs/models/NAME for a shipped network.

    Raises:
        InputError: it cannot be made.
    """
    if not is_shipped(folder):
        return folder
    path = PLACE / folder.name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def listing() -> list[dict[str, Any]]:
    """Of every shipped network: name, system, what it is, its metrics, bytes of its folder, and the folder."""
    found = []
    for name in names():
        folder = MODELS / name
        run, metrics = (
            read_json(folder / file, f"the {file} of a shipped network") for file in ("run.json", "metrics.json")
        )
        number = headline(metrics)
        found.append(
            {"name": name, "system": run["system"], "what": run["facts"].get("about", "")}
            | {"headline": dict([number]) if number else {}, "metrics": metrics}
            | {"bytes": size(folder), "folder": str(folder), "card": str(folder / "card.md")}
        )
    return found


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
