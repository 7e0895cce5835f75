"""Timing of several functions in turn, so that other load on the machine affects all of them equally.

On one thread, in CPU time and wall time: CPU time stays meaningful on a busy machine. CUDA is not measured here.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from saccade.bench.schema import Throughput

BLOCK_SECONDS = 2e-3
"""Calls are timed in blocks of at least this length, so that the time of reading the clock is negligible."""


class Timing(NamedTuple):
    """Medians over the rounds, milliseconds per call; `quick_ms` is the CPU time of the fastest round."""

    cpu_ms: float
    wall_ms: float
    quick_ms: float
    rounds: int


def interleaved(jobs: Mapping[str, Callable[[], object]], seconds: float, rounds: int = 300) -> dict[str, Timing]:
    """Time several functions in turn for a number of seconds, at least 5 rounds."""
    blocks = {name: _block(job) for name, job in jobs.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    end = time.process_time() + seconds
    for count in range(rounds):
        if count >= 5 and time.process_time() > end:
            break
        for name, job in jobs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(blocks[name]):
                job()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            times[name].append((1e3 * cpu / blocks[name], 1e3 * wall / blocks[name]))
    return {name: _timing(measured) for name, measured in times.items()}


def _block(job: Callable[[], object]) -> int:
    """Return the number of calls in a block, estimated after two warm-up calls."""
    for _ in range(2):
        job()
    start = time.process_time()
    job()
    return max(1, round(BLOCK_SECONDS / max(time.process_time() - start, 1e-6)))


def _timing(times: Sequence[tuple[float, float]]) -> Timing:
    cpu, wall = zip(*times, strict=True)
    return Timing(statistics.median(cpu), statistics.median(wall), min(cpu), len(times))


def traced(answer: nn.Module, images: Tensor) -> Callable[[Tensor], Tensor]:
    """Record a network's operations with TorchScript and return the recording, which runs without Python.

    Its result is compared with the network's on the given images.
    """
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the tracer warns of values that become constant, which is intended
        recorded = torch.jit.freeze(torch.jit.trace(answer.eval(), (images,), check_trace=False))
        assert torch.allclose(recorded(images), answer(images), atol=1e-4), "the recording computes something else"
    return recorded


def throughput(answer_of: Callable[[int], Callable[[], object]], largest: int, seconds: float) -> Throughput:
    """Return the highest number of images per second of CPU time over the batch sizes 1, 4, 16, ..., `largest`."""
    sizes = [4**i for i in range(10) if 4**i < largest] + [largest]
    jobs = {str(size): answer_of(size) for size in sizes}
    timings = interleaved(jobs, seconds, rounds=20)
    rates = {size: 1e3 * int(size) / timing.cpu_ms for size, timing in timings.items()}
    best = max(rates, key=rates.__getitem__)
    return {"images_per_second": rates[best], "batch": int(best)}


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the e of cost = c * size^e, by least squares on the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def crossing(sizes: Sequence[float], one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return the size above which `other` costs more than `one`, interpolated on a log-log scale; None: never."""
    ahead = np.log(np.asarray(other)) - np.log(np.asarray(one))
    if ahead[-1] <= 0:
        return None
    below = np.flatnonzero(ahead <= 0)
    if len(below) == 0:
        return float(sizes[0])
    i = below[-1]
    share = -ahead[i] / (ahead[i + 1] - ahead[i])
    return float(np.exp(np.log(sizes[i]) + share * (np.log(sizes[i + 1]) - np.log(sizes[i]))))
