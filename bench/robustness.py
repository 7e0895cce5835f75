"""What becomes of a trained network on images unlike those it learned from: more clutter, digits of other sizes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.plan import Plan
from recurrent import verbs
from recurrent.config import DataConfig
from recurrent.pipeline import data
from recurrent.scores import error_percent
from recurrent.system import Batch

PIECES = (0, 1, 2, 4, 8, 16)


def sides(small: bool) -> tuple[int, ...]:
    """Sizes of digits that are tried, pixels; 28 is MNIST's own."""
    return (14, 16, 18, 20, 22, 24, 26, 28) if small else (14, 20, 24, 28, 32, 36, 44, 52)


def robustness(plan: Plan, folders: Mapping[str, Path], data_dir: str | None) -> dict[str, Any]:
    """Error in percent of the networks in `folders` (name -> run folder) by clutter pieces and by size of the digit.

    The test images are drawn by a fixed seed from held-out digits alone; all networks see the same ones.
    """
    small = plan.dataset in ("digits", "mnist")
    base = DataConfig(
        dataset="cluttered",
        pool="digits" if plan.dataset == "digits" else "mnist",
        canvas=28 if small else 60,
        pieces=4 if plan.dataset == "cluttered" else 0,
        data_dir=data_dir,
    )
    networks = {name: verbs.open_network(folder) for name, folder in folders.items()}
    by_pieces = [_errors(networks, replace(base, pieces=count), plan.examples) for count in PIECES]
    tried = sides(small)
    by_side = [_errors(networks, replace(base, smallest=side, largest=side), plan.examples) for side in tried]
    labels = {contestant.name: contestant.label for contestant in plan.contestants if contestant.name in folders}
    return {
        "examples": plan.examples,
        "labels": labels,
        "pieces": {"x": list(PIECES), "error_percent": _by_network(by_pieces), "trained_with": base.pieces},
        "side": {"x": list(tried), "error_percent": _by_network(by_side), "trained_with": 28},
    }


def _errors(networks: Mapping[str, verbs.Network], config: DataConfig, examples: int) -> dict[str, float]:
    images, labels, _ = data.load(config, seed=0).held_out("test")
    batch = Batch(images[:examples], labels[:examples])
    return {name: error_percent(verbs.logits(network, batch), batch.labels) for name, network in networks.items()}


def _by_network(errors: list[dict[str, float]]) -> dict[str, list[float]]:
    return {name: [point[name] for point in errors] for name in errors[0]}
