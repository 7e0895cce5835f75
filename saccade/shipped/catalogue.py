"""List of the trained networks that come with Saccade. Torch-free.

Each is a folder: run.json, weights.safetensors, metrics.json, curve.jsonl, card.md.
"""

from pathlib import Path
from typing import TypedDict

from saccade.json_types import Record
from saccade.pipeline import systems
from saccade.pipeline.checkpoint.atomic_files import read_json
from saccade.pipeline.checkpoint.locate import NETWORKS, shipped_names
from saccade.pipeline.checkpoint.run_folder import read_record


class ShippedNetwork(TypedDict):
    """A shipped network, as `saccade models --json` prints it."""

    name: str
    system: str
    what: str
    headline: dict[str, float]
    metrics: Record
    bytes: int
    folder: str
    card: str


def listing() -> list[ShippedNetwork]:
    """Return an entry for every shipped network."""
    return [_entry(name, NETWORKS / name) for name in shipped_names()]


def _entry(name: str, folder: Path) -> ShippedNetwork:
    run, metrics = read_record(folder), read_json(folder / "metrics.json", "the metrics.json of a shipped network")
    headline = systems.spec(run["system"]).headline
    number = headline.value(metrics)
    return {
        "name": name,
        "system": run["system"],
        "what": run["provenance"].get("about", ""),
        "headline": {} if number is None else {headline.name: number},
        "metrics": metrics,
        "bytes": size(folder),
        "folder": str(folder),
        "card": str(folder / "card.md"),
    }


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
