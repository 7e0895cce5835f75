"""The costs of the benchmark's trained networks, with the times of all networks measured in turn."""

import math
from collections.abc import Callable

import torch

from saccade.bench.cost import Answer, static, training_peak_bytes
from saccade.bench.plan import Plan
from saccade.bench.schema import Cost
from saccade.bench.timing import interleaved, throughput, traced
from saccade.bench.training import Job
from saccade.images.source import ImageBatch
from saccade.pipeline.contract import AnySystem, load_system
from saccade.pipeline.trained import open_trained
from saccade.recurrent.core import AnyCore

TRAINING_BATCH = 128
"""Images in the training step whose memory is measured."""


def costs(plan: Plan, finished: list[Job]) -> dict[str, Cost]:
    """Measure the cost of an answer of each contestant on its own dataset; the times are measured in turn."""
    first = {job.contestant.name: job for job in reversed(finished) if job.contestant.ranked}
    measured: dict[str, Cost] = {}
    batched: dict[str, Callable[[int], Callable[[], object]]] = {}
    replays: dict[str, Callable[[], object]] = {}
    eager: dict[str, Callable[[], object]] = {}
    for name, job in sorted(first.items()):
        network = open_trained(job.folder, job.contestant.system)
        source, core, config = network.source(), network.core.requires_grad_(False), network.run.model
        system = load_system(network.run.system)
        images = source.held_out("test").images[:1]
        answer = Answer(core, system, config, images)
        counts = static(answer, images, network.facts.shape, config)
        batch = source.batch(0, min(TRAINING_BATCH, source.examples))
        peak = training_peak_bytes(core, system, config, ImageBatch(batch.images, batch.labels))
        measured[name] = {
            "parameters": counts.parameters,
            "multiply_adds": counts.multiply_adds,
            "pixels_read": counts.pixels_read,
            "peak_memory_bytes": counts.peak_memory_bytes,
            "training_peak_bytes": peak,
            "training_batch": len(batch.labels),
        }
        core.eval().requires_grad_(False)
        batched[name] = _batched(core, system, config, batch.images)
        recorded = traced(answer, images)
        replays[name] = lambda replay=recorded, i=images: replay(i)
        eager[name] = lambda a=answer, i=images: a(i)
    with torch.inference_mode():
        replayed, stepped = interleaved(replays, plan.seconds / 2), interleaved(eager, plan.seconds / 4)
        for name, cost in measured.items():
            cost["latency_ms"] = replayed[name].cpu_ms
            cost["latency_wall_ms"] = replayed[name].wall_ms
            cost["latency_eager_ms"] = stepped[name].cpu_ms
            cost["throughput"] = throughput(batched[name], plan.largest_batch, plan.seconds / 8)
    return measured


def _batched(
    core: AnyCore, system: AnySystem, config: object, images: torch.Tensor
) -> Callable[[int], Callable[[], object]]:
    """Return a function from a batch size to a function that answers a batch of that size."""

    def answer_of(size: int) -> Callable[[], object]:
        batch = images.repeat(math.ceil(size / len(images)), 1, 1, 1)[:size].contiguous()
        answer = Answer(core, system, config, batch)
        return lambda: answer(batch)

    return answer_of
