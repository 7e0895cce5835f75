"""Evaluation: the same weights under every condition that their system names, over a whole held-out split."""

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.json_types import Record
from saccade.pipeline import systems
from saccade.pipeline.config import AnyRun
from saccade.pipeline.contract import AnyEpisode, AnySource, Split, Trace, load_system
from saccade.pipeline.device import give_back_memory, keep_freed_memory
from saccade.pipeline.progress import work
from saccade.recurrent.core import AnyCore
from saccade.recurrent.tree import Tree, count, take
from saccade.recurrent.unroll import Unrolled

TIDY_EVERY = 10
"""Batches after which memory is given back to the operating system."""


@torch.no_grad()
def evaluate(run: AnyRun, core: AnyCore, source: AnySource, split: Split = "test") -> Record:
    """Measure a network; return the content of metrics.json: the system's report, and what was evaluated on what.

    Noise is drawn from the run's seed, so that the same weights always get the same numbers on one machine.
    """
    system = load_system(run.system)
    keep_freed_memory()
    whole = source.held_out(split)
    examples = count(whole)
    conditions = system.conditions(run.model)
    main = next(iter(conditions))
    results: dict[str, Mapping[str, Tensor]] = {}
    sizes = {name: system.examples_at_once(config) for name, config in conditions.items()}
    with work("evaluating", sum(-(-examples // size) for size in sizes.values())) as advance:
        for name, config in conditions.items():
            generator = torch.Generator().manual_seed(run.train.seed)
            parts: dict[str, list[Mapping[str, Tensor]]] = defaultdict(list)
            for index, start in enumerate(range(0, examples, sizes[name]), start=1):
                episode = system.episode(take(whole, slice(start, start + sizes[name])), config, generator)
                outputs = unrolled(core, episode)
                parts[name].append(system.metrics(outputs, episode, config))
                if name == main:
                    for replay, again in system.replays(outputs, episode, config).items():
                        parts[replay].append(system.metrics(unrolled(core, again), again, config))
                if index % TIDY_EVERY == 0:
                    give_back_memory()
                advance(1)
            results |= {key: _join(measured) for key, measured in parts.items()}
    return {
        **system.report(results, run.model),
        "system": run.system,
        "dataset": getattr(run.data, "dataset", run.system),
        "split": split,
        "examples": examples,
        "parameters": sum(p.numel() for p in core.parameters() if p.requires_grad),
        "seed": run.train.seed,
    }


@torch.no_grad()
def trace(run: AnyRun, core: AnyCore, batch: Tree, facts: systems.Facts, *, condition: str | None = None) -> Trace:
    """Unroll a network on a batch, under a condition of its system by name (the main one by default).

    Raises:
        InputError: the system has no such condition.
    """
    system = load_system(run.system)
    conditions = system.conditions(run.model)
    name = condition or next(iter(conditions))
    if name not in conditions:
        raise InputError(f"a condition among {', '.join(conditions)}", repr(name), "name one of them")
    episode = system.episode(batch, conditions[name], torch.Generator().manual_seed(run.train.seed))
    with work("looking", 1):
        outputs = unrolled(core, episode)
    return Trace(run.system, outputs, episode, batch, facts)


def unrolled(core: AnyCore, episode: AnyEpisode) -> Tree:
    """Return the outputs of a whole episode, every leaf [T, B, ...]."""
    return Unrolled(core)(episode.inputs, episode.context, episode.lengths)


def _join(parts: list[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Join the metrics of all batches: every one is [B, ...]."""
    return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
