"""Robustness of trained networks: error on images with more clutter and with digits of other sizes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, cast

from saccade.bench.plan import Plan
from saccade.bench.schema import Robustness
from saccade.images.config import ImageData
from saccade.images.source import ImageBatch, load_images
from saccade.images.system import ImageTrained
from saccade.pipeline.evaluate.classification import error_percent
from saccade.pipeline.trained import open_trained

PIECES = (0, 1, 2, 4, 8, 16)
"""Numbers of clutter pieces to measure."""

AnyImageTrained: TypeAlias = ImageTrained[Any]


def sides(small: bool) -> tuple[int, ...]:
    """Return the sizes of the digits to measure, in pixels; 28 is MNIST's."""
    return (14, 16, 18, 20, 22, 24, 26, 28) if small else (14, 20, 24, 28, 32, 36, 44, 52)


def robustness(plan: Plan, folders: Mapping[str, Path], data_dir: str | None) -> Robustness:
    """Measure the error of the networks in `folders` (name -> run folder) by clutter pieces and by digit size.

    The test images are made with a fixed seed from held-out digits only; all networks get the same images.
    """
    small = plan.dataset in ("digits", "mnist")
    base = ImageData(
        dataset="cluttered",
        pool="digits" if plan.dataset == "digits" else "mnist",
        canvas=28 if small else 60,
        pieces=4 if plan.dataset == "cluttered" else 0,
        data_dir=data_dir,
    )
    networks = {name: cast(AnyImageTrained, open_trained(folder)) for name, folder in folders.items()}
    by_pieces = [_errors(networks, replace(base, pieces=count), plan.examples) for count in PIECES]
    digit_sides = sides(small)
    by_side = [_errors(networks, replace(base, smallest=side, largest=side), plan.examples) for side in digit_sides]
    labels = {contestant.name: contestant.label for contestant in plan.contestants if contestant.name in folders}
    return {
        "examples": plan.examples,
        "labels": labels,
        "pieces": {"x": list(PIECES), "error_percent": _by_network(by_pieces), "trained_with": base.pieces},
        "side": {"x": list(digit_sides), "error_percent": _by_network(by_side), "trained_with": 28},
    }


def _errors(networks: Mapping[str, AnyImageTrained], config: ImageData, examples: int) -> dict[str, float]:
    images, labels, _ = load_images(config, seed=0).held_out("test")
    batch = ImageBatch(images[:examples], labels[:examples])
    return {name: error_percent(network.logits(batch), batch.labels) for name, network in networks.items()}


def _by_network(errors: list[dict[str, float]]) -> dict[str, list[float]]:
    return {name: [point[name] for point in errors] for name in errors[0]}
