"""Evaluation: the same weights under every condition that their system names, over a whole held-out split."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from recurrent.config import Run
from recurrent.core import RecurrentCore
from recurrent.device import give_back_memory, keep_freed_memory
from recurrent.errors import InputError
from recurrent.pipeline.data import Source
from recurrent.system import Batch, Episode, Trace, load
from recurrent.unroll import Unrolled

TIDY_EVERY = 10
"""Batches after which memory is given back to the system."""


@torch.no_grad()
def evaluate(
    run: Run[Any],
    core: RecurrentCore[Any, Any, Any, Any],
    source: Source,
    split: Literal["validation", "test"] = "test",
) -> dict[str, Any]:
    """The content of metrics.json: what the system reports, and what was evaluated on what.

    Noise is drawn from the run's seed, so that the same weights always get the same numbers on one machine.
    """
    system = load(run.system)
    keep_freed_memory()
    whole = source.held_out(split)
    conditions = system.conditions(run.model)
    main = next(iter(conditions))
    results: dict[str, dict[str, Tensor]] = {}
    for name, config in conditions.items():
        generator = torch.Generator().manual_seed(run.train.seed)
        parts: dict[str, list[Mapping[str, Tensor]]] = defaultdict(list)
        size = system.examples_at_once(config)
        starts = range(0, len(whole.labels), size)
        for index, start in enumerate(starts, start=1):
            some = slice(start, start + size)
            places = None if whole.places is None else whole.places[some]
            episode = system.episode(Batch(whole.images[some], whole.labels[some], places), config, generator)
            outputs = _unroll(core, episode)
            parts[name].append(system.metrics(outputs, episode, config))
            if name == main:
                for replay, again in system.replays(outputs, episode, config).items():
                    parts[replay].append(system.metrics(_unroll(core, again), again, config))
            if index % TIDY_EVERY == 0:
                give_back_memory()
        results |= {key: _join(measured) for key, measured in parts.items()}
    return {
        **system.report(results, run.model),
        "system": run.system,
        "dataset": run.data.dataset,
        "split": split,
        "examples": len(whole.labels),
        "parameters": sum(p.numel() for p in core.parameters() if p.requires_grad),
        "seed": run.train.seed,
    }


@torch.no_grad()
def trace(
    run: Run[Any],
    core: RecurrentCore[Any, Any, Any, Any],
    batch: Batch,
    classes: tuple[str, ...],
    *,
    condition: str | None = None,
) -> Trace:
    """What the network does with a batch, under a condition of its system by name (the main one by default).

    Raises:
        InputError: the system has no such condition.
    """
    system = load(run.system)
    conditions = system.conditions(run.model)
    name = condition or next(iter(conditions))
    if name not in conditions:
        raise InputError(f"a condition among {', '.join(conditions)}", repr(name), "name one of them")
    episode = system.episode(batch, conditions[name], torch.Generator().manual_seed(run.train.seed))
    images = getattr(episode.context, "images", episode.context)
    return Trace(_unroll(core, episode), images, episode.targets, classes)


def _unroll(core: RecurrentCore[Any, Any, Any, Any], episode: Episode) -> Any:
    return Unrolled(core)(episode.inputs, episode.context)


def _join(parts: list[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """One tensor a name from the batches': [B, ...] and [T, B, ...] alike, for only B's length varies by batch."""
    examples = [len(part["target"]) for part in parts]
    joined = {}
    for key in parts[0]:
        tensors = [part[key] for part in parts]
        axis = 0 if all(len(t) == n for t, n in zip(tensors, examples, strict=True)) else 1
        joined[key] = torch.cat(tensors, dim=axis)
    return joined
