"""How the cost of an answer grows with the image: the same digit on ever larger canvases.

Cost does not depend on the weights, so the networks are fresh ones. All networks at all sizes are timed in turns, in
one run.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from saccade.bench.cost import Answer, multiply_adds, peak_bytes, untrained
from saccade.bench.timing import crossing, exponent, interleaved, traced
from saccade.images.canvas import place
from saccade.images.config import ImageFacts

NETWORKS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "ram": ("RAM, 6 glimpses of 8 × 8", "glimpse", {"glimpses": 6}, "ram"),
    "ram-3-scales": ("RAM, 6 of 12 × 12, 3 scales", "glimpse", {"glimpses": 6, "patch": 12, "scales": 3}, "scan"),
    "window": ("RAM, Gaussian window", "glimpse", {"glimpses": 6, "attention": "gaussian"}, "window"),
    "conv": ("Convolution, 2 layers", "baseline", {"kind": "conv"}, "conv"),
    "cnn": ("Residual CNN", "baseline", {"kind": "modern"}, "cnn"),
}
"""Name -> label, system, model, colour. The fully connected network is left out: at 800 pixels it has 164 million
weights."""

REFERENCE = "ram"
"""Whose crossings with the others are sought."""


def growth(digit: Tensor, classes: tuple[str, ...], sizes: Sequence[int], seconds: float) -> dict[str, Any]:
    """Measure `NETWORKS` on a digit [1, 1, h, w] amid canvases of `sizes` pixels.

    Returns:
        Per network label, family, latency, multiply-adds and memory by size, the exponents fitted to them, and the size
        from which on it is slower than `REFERENCE`.
    """
    jobs, counts = {}, {}
    with torch.inference_mode():
        for size in sizes:
            images = amid(digit, size)
            for name, (_, system, model, _) in NETWORKS.items():
                core, package, config = untrained(system, model, ImageFacts(1, size, size, classes))
                answer = Answer(core, package, config, images)
                counts[name, size] = (multiply_adds(answer, images), peak_bytes(lambda a=answer, i=images: a(i)))
                recorded = traced(answer, images)
                jobs[f"{name} {size}"] = lambda replay=recorded, i=images: replay(i)
        timings = interleaved(jobs, seconds)
    found = {}
    for name, (label, _, _, family) in NETWORKS.items():
        latency = [timings[f"{name} {size}"].cpu_ms for size in sizes]
        adds, memory = zip(*(counts[name, size] for size in sizes), strict=True)
        quickest = [timings[f"{name} {size}"].quick_ms for size in sizes]
        measured = {"latency_ms": latency, "multiply_adds": list(adds), "peak_memory_bytes": list(memory)}
        fitted = {kind: exponent(sizes, values) for kind, values in measured.items()}
        found[name] = {"label": label, "family": family, **measured, "quickest_ms": quickest, "exponent": fitted}
    own = found[REFERENCE]["latency_ms"]
    for name, network in found.items():
        if name != REFERENCE:
            network["slower_than_ram_from"] = crossing(sizes, own, network["latency_ms"])
    return {"sizes": list(sizes), "rounds": min(t.rounds for t in timings.values()), "networks": found}


def amid(digit: Tensor, size: int) -> Tensor:
    """A digit [1, 1, h, w] in the middle of a canvas of zeros [1, 1, size, size]."""
    corner = torch.tensor([(size - digit.shape[-1]) // 2])
    return place(digit, corner, corner, size, size)
