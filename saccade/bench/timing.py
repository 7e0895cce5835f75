"""How long things take, measured in turns, so that whatever else the machine does falls on all alike.

One thread, and the processor's time beside the wall's: on a machine that is busy with other things the former still
says what the work costs. CUDA is not measured here.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

BLOCK_SECONDS = 2e-3
"""Calls are timed in blocks of at least this length; the clock's own time does not matter then."""


class Timing(NamedTuple):
    """Medians over the rounds, milliseconds a call; `quick_ms` is the fastest round."""

    cpu_ms: float
    wall_ms: float
    quick_ms: float
    rounds: int


def interleaved(jobs: Mapping[str, Callable[[], Any]], seconds: float, rounds: int = 300) -> dict[str, Timing]:
    """Time several functions in turns, until the time is up, at least 5 rounds."""
    blocks = {name: _block(job) for name, job in jobs.items()}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    end = time.process_time() + seconds
    for count in range(rounds):
        if count >= 5 and time.process_time() > end:
            break
        for name, job in jobs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(blocks[name]):
                job()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            found[name].append((1e3 * cpu / blocks[name], 1e3 * wall / blocks[name]))
    return {name: _timing(times) for name, times in found.items()}


def _block(job: Callable[[], Any]) -> int:
    """Calls in a block, after two to warm up."""
    for _ in range(2):
        job()
    start = time.process_time()
    job()
    return max(1, round(BLOCK_SECONDS / max(time.process_time() - start, 1e-6)))


def _timing(times: Sequence[tuple[float, float]]) -> Timing:
    cpu, wall = zip(*times, strict=True)
    return Timing(statistics.median(cpu), statistics.median(wall), min(cpu), len(times))


def traced(answer: nn.Module, images: Tensor) -> Callable[[Tensor], Tensor]:
    """The operations of a network recorded once and replayed without Python: as one would deploy it.

    Checked on the images it is given.
    """
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the recorder's remarks on what becomes constant, which is meant
        recorded = torch.jit.freeze(torch.jit.trace(answer.eval(), (images,), check_trace=False))
        assert torch.allclose(recorded(images), answer(images), atol=1e-4), "a recording that computes something else"
    return recorded


def throughput(answer_of: Callable[[int], Callable[[], Any]], largest: int, seconds: float) -> dict[str, float]:
    """Images a second at the best of the batches 1, 4, 16, ..., `largest`; processor time."""
    sizes = [4**i for i in range(10) if 4**i < largest] + [largest]
    jobs = {str(size): answer_of(size) for size in sizes}
    timings = interleaved(jobs, seconds, rounds=20)
    rates = {size: 1e3 * int(size) / timing.cpu_ms for size, timing in timings.items()}
    best = max(rates, key=rates.__getitem__)
    return {"images_per_second": rates[best], "batch": int(best)}


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """e of cost = c * size^e, by least squares of the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def crossing(sizes: Sequence[float], one: Sequence[float], other: Sequence[float]) -> float | None:
    """The size from which on `other` costs more than `one`, between two sizes on a log-log line; None: never."""
    ahead = np.log(np.asarray(other)) - np.log(np.asarray(one))
    if ahead[-1] <= 0:
        return None
    below = np.flatnonzero(ahead <= 0)
    if len(below) == 0:
        return float(sizes[0])
    i = below[-1]
    share = -ahead[i] / (ahead[i + 1] - ahead[i])
    return float(np.exp(np.log(sizes[i]) + share * (np.log(sizes[i + 1]) - np.log(sizes[i]))))
