"""The trained networks that come with Saccade, listed. Torch-free.

Each is a folder: run.json, weights.safetensors, metrics.json, curve.jsonl, card.md.
"""

from pathlib import Path
from typing import Any

from saccade.pipeline import systems
from saccade.pipeline.checkpoint.atomic_files import read_json
from saccade.pipeline.checkpoint.locate import NETWORKS, shipped_names
from saccade.pipeline.checkpoint.run_folder import read_record


def listing() -> list[dict[str, Any]]:
    """Return for every shipped network: name, system, what it is, its metrics, bytes of its folder, and the folder."""
    found = []
    for name in shipped_names():
        folder = NETWORKS / name
        run, metrics = read_record(folder), read_json(folder / "metrics.json", "the metrics.json of a shipped network")
        headline = systems.spec(run["system"]).headline
        number = headline.value(metrics)
        found.append(
            {"name": name, "system": run["system"], "what": run["provenance"].get("about", "")}
            | {"headline": {} if number is None else {headline.name: number}, "metrics": metrics}
            | {"bytes": size(folder), "folder": str(folder), "card": str(folder / "card.md")}
        )
    return found


def size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
