"""Growth of the cost of an answer with the image size: the same digit on larger and larger canvases.

The cost does not depend on the weights, so the networks are untrained. All networks are timed in turn at all sizes, in
one process.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from saccade.bench.cost import Answer, multiply_adds, peak_bytes, untrained
from saccade.bench.schema import Growth, NetworkGrowth
from saccade.bench.timing import crossing, exponent, interleaved, traced
from saccade.images.canvas import place
from saccade.images.config import ImageFacts
from saccade.json_types import Record


class Network(NamedTuple):
    """A network of the comparison."""

    label: str
    system: str
    model: Record
    family: str
    """Its colour on the page."""


NETWORKS = {
    "ram": Network("RAM, 6 glimpses of 8 × 8", "glimpse", {"glimpses": 6}, "ram"),
    "ram-3-scales": Network(
        "RAM, 6 of 12 × 12, 3 scales", "glimpse", {"glimpses": 6, "patch": 12, "scales": 3}, "scan"
    ),
    "window": Network("RAM, Gaussian window", "glimpse", {"glimpses": 6, "attention": "gaussian"}, "window"),
    "conv": Network("Convolution, 2 layers", "baseline", {"kind": "conv"}, "conv"),
    "cnn": Network("Residual CNN", "baseline", {"kind": "modern"}, "cnn"),
}
"""The networks by name. The fully connected network is left out: at 800 pixels it has 164 million weights."""

REFERENCE = "ram"
"""The network that the others are compared with."""


def growth(digit: Tensor, classes: tuple[str, ...], sizes: Sequence[int], seconds: float) -> Growth:
    """Measure `NETWORKS` on a digit [1, 1, h, w] in the middle of canvases of `sizes` pixels."""
    jobs, counts = {}, {}
    with torch.inference_mode():
        for size in sizes:
            images = amid(digit, size)
            for name, network in NETWORKS.items():
                built = untrained(network.system, network.model, ImageFacts(1, size, size, classes))
                answer = Answer(*built, images)
                counts[name, size] = (multiply_adds(answer, images), peak_bytes(lambda a=answer, i=images: a(i)))
                recorded = traced(answer, images)
                jobs[f"{name} {size}"] = lambda replay=recorded, i=images: replay(i)
        timings = interleaved(jobs, seconds)
    networks: dict[str, NetworkGrowth] = {}
    for name, network in NETWORKS.items():
        times = [timings[f"{name} {size}"] for size in sizes]
        adds, memory = ([counts[name, size][part] for size in sizes] for part in (0, 1))
        latency = [time.cpu_ms for time in times]
        fitted = {"latency_ms": latency, "multiply_adds": adds, "peak_memory_bytes": memory}
        networks[name] = {
            "label": network.label,
            "family": network.family,
            "latency_ms": latency,
            "multiply_adds": adds,
            "peak_memory_bytes": memory,
            "quickest_ms": [time.quick_ms for time in times],
            "exponent": {kind: exponent(sizes, values) for kind, values in fitted.items()},
        }
    own = networks[REFERENCE]["latency_ms"]
    for name, measured in networks.items():
        if name != REFERENCE:
            measured["slower_than_ram_from"] = crossing(sizes, own, measured["latency_ms"])
    return {"sizes": list(sizes), "rounds": min(t.rounds for t in timings.values()), "networks": networks}


def amid(digit: Tensor, size: int) -> Tensor:
    """Place a digit [1, 1, h, w] in the middle of a canvas of zeros [1, 1, size, size]."""
    corner = torch.tensor([(size - digit.shape[-1]) // 2])
    return place(digit, corner, corner, size, size)
