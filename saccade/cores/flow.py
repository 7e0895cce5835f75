"""Vanishing gradients, measured: how strongly a loss still feels the state of a core at every step before it.

On the adding problem before and after a short training, by depth, under truncated BPTT and by length; and in RAM and
DRAW on the embedded digits. All by `saccade.recurrent.gradient_flow`, all numbers plain floats (JSON).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from saccade.adding.config import SPEC, AddingData, Config
from saccade.adding.model import KINDS
from saccade.adding.system import SYSTEM as ADDING
from saccade.cores import compare
from saccade.pipeline.config import AnyRun, Run
from saccade.pipeline.contract import AnySystem, load_system
from saccade.pipeline.evaluate.evaluate import evaluate
from saccade.pipeline.train.loop import Learner
from saccade.pipeline.trained import load_data, open_trained
from saccade.recurrent.core import AnyCore
from saccade.recurrent.gradient_flow import gradient_flow
from saccade.recurrent.tree import Tree, count, map_tensors, take

LENGTHS = (10, 20, 50, 100, 200, 500)
"""Lengths of the adding problem at which the flow is measured."""

DEPTHS = (1, 2, 3)
"""Layers of the stacks that are compared."""

CUTS = (2, 5, 10)
"""Truncated BPTT is shown with windows of the steps divided by these."""

EXAMPLES = 64
"""Sequences or images over which a gradient's norm is taken."""

BATCH = 50
"""Sequences in an update of the short training."""

Norms = dict[str, list[float]]  # state field -> ||dL/ds_t|| at each step


class Flow(NamedTuple):
    """One measurement: whose gradient, and its norm at every step of every state field."""

    core: str
    trained: bool
    norms: Norms
    layers: int = 1
    detach_every: int | None = None


def planned(kind: str, steps: int, updates: int = 1, *, layers: int = 1, seed: int = 0) -> Run[AddingData, Config]:
    """Return the short training of one core on sequences of `steps` numbers."""
    data = AddingData(shortest=steps, longest=steps, epoch_examples=BATCH * max(updates, 1))
    train = replace(SPEC.train, epochs=1, batch_size=BATCH, seed=seed, precision="fp32", threads=1)
    return Run(system="adding", data=data, model=Config(core=kind, layers=layers), train=train)  # type: ignore[arg-type]


def on_adding(core: AnyCore, run: Run[AddingData, Config], detach_every: int | None = None) -> Norms:
    """Return ||dL/ds_t|| of the squared error on held-out sequences, in float64: float32 ends at 1e-45."""
    batch = take(ADDING.load(run, torch.device("cpu")).held_out("test"), slice(0, EXAMPLES))
    return in_system(ADDING, run.model, deepcopy(core).double(), batch, detach_every, double=True)


def in_system(
    system: AnySystem, config: Any, core: AnyCore, batch: Tree, detach_every: int | None = None, *, double: bool = False
) -> Norms:
    """Return ||dL/ds_t|| of a system's own loss on one batch."""
    episode = system.episode(batch, config, torch.Generator().manual_seed(0))
    if double:
        widen = lambda leaf: leaf.double() if leaf.is_floating_point() else leaf  # noqa: E731
        episode = episode._replace(
            inputs=map_tensors(widen, episode.inputs), targets=map_tensors(widen, episode.targets)
        )
    norms = gradient_flow(
        core,
        episode.inputs,
        episode.context,
        lambda outputs: system.loss(outputs, episode, config).total,
        batch_size=count(take_first(episode.inputs)),
        lengths=episode.lengths,
        detach_every=detach_every,
    )
    return {field: values.tolist() for field, values in norms.items()}


def take_first(inputs: Tree) -> Tree:
    """Return the first step of inputs [T, B, ...]: every leaf [B, ...]."""
    return map_tensors(lambda leaf: leaf[0], inputs)


def whole_state(norms: Mapping[str, Sequence[float]], prefix: str = "") -> list[float]:
    """The norm at each step over all of a cell's state: of an LSTM, h and c together. `prefix`: "0." for layer 0.

    (h_T is what the last step gives; its c_T leads nowhere and has no gradient of its own.)
    """
    fields = [norms[prefix + name] for name in ("h", "c") if prefix + name in norms]
    return [math.hypot(*values) for values in zip(*fields, strict=True)]


def reach(norms: Mapping[str, Sequence[float]]) -> float:
    """The part of the last step's gradient that arrives at the first one."""
    found = whole_state(norms)
    return found[0] / found[-1] if found[-1] else 0.0


def measure(steps: int, updates: int, runs: Path, say: Callable[[str], None], seed: int = 0) -> dict[str, Any]:
    """Everything that the figure shows.

    Args:
        steps: length of the adding problem.
        updates: of the short training.
        runs: where `compare` left trained RAMs and DRAWs; the fresh ones alone are shown where it did not.
        say: told what is being done.

    Returns:
        What JSON holds: "adding", "depth" and "truncation" (lists of `Flow` as dicts), "by_length", "held_out_error",
        "systems" (system name -> list of `Flow` as dicts).
    """
    plans = {kind: planned(kind, steps, updates, seed=seed) for kind in KINDS}
    fresh = {kind: _fresh(run) for kind, run in plans.items()}
    trained = {}
    for kind, run in plans.items():
        say(f"{kind}: {updates} updates on the adding problem of {steps} steps")
        trained[kind] = _trained(run, updates)
    both = [(False, fresh), (True, trained)]
    say("following the gradients back")
    return {
        "steps": steps,
        "updates": updates,
        "seed": seed,
        "adding": [_flow(kind, t, on_adding(core, plans[kind])) for t, each in both for kind, core in each.items()],
        "held_out_error": {
            kind: {"fresh": _error(run, fresh[kind]), "trained": _error(run, trained[kind])}
            for kind, run in plans.items()
        },
        "by_length": [_by_length(kind, t, core) for t, each in both for kind, core in each.items()],
        "depth": [
            _flow(kind, False, _at_depth(kind, steps, layers, seed), layers=layers)
            for kind in KINDS
            for layers in DEPTHS
        ],
        "truncation": [
            _flow("lstm", True, on_adding(trained["lstm"], plans["lstm"], cut), detach_every=cut)
            for cut in (None, *dict.fromkeys(max(1, steps // divisor) for divisor in CUTS))
        ],
        "systems": {name: systems_flow(name, runs) for name in compare.SYSTEMS},
    }


def systems_flow(name: str, runs: Path) -> list[dict[str, Any]]:
    """Return the flow in a system with each core on the embedded digits: fresh, and trained where `runs` holds it."""
    system, found = load_system(name), []
    for kind in compare.CORES:
        run = compare.planned(name, kind)
        source = load_data(run)
        batch = take(source.held_out("test"), slice(0, EXAMPLES))
        core = _fresh(run)
        system.prime(core, source.batch(0, source.examples))
        found.append(_flow(kind, False, in_system(system, run.model, core, batch)))
        folder = compare.folder(runs, name, kind, run.train.seed)
        if compare.finished(folder):
            network = open_trained(folder, name)
            found.append(_flow(kind, True, in_system(system, network.config, network.core, batch)))
    return found


def _fresh(run: AnyRun) -> AnyCore:
    """Build the network of a run as its training begins."""
    torch.manual_seed(run.train.seed)
    return load_system(run.system).build(run.model, load_data(run).facts)


def _trained(run: AnyRun, updates: int) -> AnyCore:
    """Train a run in memory and return its network."""
    learner = Learner(run, load_data(run))
    for _ in range(updates):
        learner.advance()
    return learner.core


def _error(run: AnyRun, core: AnyCore) -> float:
    """Return the mean squared error on held-out sequences; compare with `adding.sequences.BLIND_ERROR`."""
    return evaluate(run, core, load_data(run))["mean_squared_error"]


def _at_depth(kind: str, steps: int, layers: int, seed: int) -> Norms:
    run = planned(kind, steps, layers=layers, seed=seed)
    return on_adding(_fresh(run), run)


def _by_length(kind: str, trained: bool, core: AnyCore) -> dict[str, Any]:
    return {
        "core": kind,
        "trained": trained,
        "lengths": list(LENGTHS),
        "reach": [reach(on_adding(core, planned(kind, length))) for length in LENGTHS],
    }


def _flow(core: str, trained: bool, norms: Norms, **facts: Any) -> dict[str, Any]:
    return Flow(core, trained, norms, **facts)._asdict()
