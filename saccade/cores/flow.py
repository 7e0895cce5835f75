"""Measurement of vanishing gradients: the norm of the loss's gradient with respect to the state at every step.

Measured on the adding problem before and after a short training, by depth, by length and under truncated BPTT; and in
RAM and DRAW on the embedded digits. All with `saccade.recurrent.gradient_flow`; all results are JSON values.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias, TypedDict

import torch

from saccade.adding.config import SPEC, AddingData, Config
from saccade.adding.model import KINDS
from saccade.adding.system import SYSTEM as ADDING
from saccade.cores import compare
from saccade.pipeline.config import AnyRun, Run
from saccade.pipeline.contract import AnySystem, load_system
from saccade.pipeline.evaluate.evaluate import evaluate
from saccade.pipeline.progress import track
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
"""Truncated BPTT is measured with windows of the number of steps divided by these."""

EXAMPLES = 64
"""Number of sequences or images over which a gradient's norm is taken."""

BATCH = 50
"""Sequences per update of the short training."""

Norms: TypeAlias = dict[str, list[float]]
"""State field -> ||dL/ds_t|| at each step."""


class Flow(TypedDict):
    """The gradient flow of one network."""

    core: str
    trained: bool
    norms: Norms
    layers: int
    detach_every: int | None
    """Window of truncated BPTT; None: the graph is never cut."""


class LengthReach(TypedDict):
    """The reach (see `reach`) of one network on sequences of several lengths."""

    core: str
    trained: bool
    lengths: list[int]
    reach: list[float]


class Errors(TypedDict):
    """Mean squared error on held-out sequences, before and after the short training."""

    fresh: float
    trained: float


class Measurement(TypedDict):
    """Everything that the figure shows."""

    steps: int
    updates: int
    seed: int
    adding: list[Flow]
    held_out_error: dict[str, Errors]
    """By core."""
    by_length: list[LengthReach]
    depth: list[Flow]
    truncation: list[Flow]
    systems: dict[str, list[Flow]]
    """By system."""


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
    system: AnySystem,
    config: object,
    core: AnyCore,
    batch: Tree,
    detach_every: int | None = None,
    *,
    double: bool = False,
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
    """Return the norm at each step over a cell's whole state: for an LSTM, h and c together.

    The last step's c has no gradient: the loss depends on h alone there.

    Args:
        prefix: path of the cell in the state, e.g. "0." for layer 0.
    """
    fields = [norms[prefix + name] for name in ("h", "c") if prefix + name in norms]
    return [math.hypot(*values) for values in zip(*fields, strict=True)]


def reach(norms: Mapping[str, Sequence[float]]) -> float:
    """Return the first step's gradient norm as a fraction of the last step's."""
    by_step = whole_state(norms)
    return by_step[0] / by_step[-1] if by_step[-1] else 0.0


def measure(steps: int, updates: int, runs: Path, say: Callable[[str], None], seed: int = 0) -> Measurement:
    """Measure everything that the figure shows.

    Args:
        steps: length of the adding problem.
        updates: number of updates of the short training.
        runs: folder of the RAMs and DRAWs that `compare` has trained; those that are missing are left out.
        say: called with a line about the progress.
    """
    plans = {kind: planned(kind, steps, updates, seed=seed) for kind in KINDS}
    fresh = {kind: _fresh(run) for kind, run in plans.items()}
    trained = {}
    for kind, run in plans.items():
        say(f"{kind}: {updates} updates on the adding problem of {steps} steps")
        trained[kind] = _trained(run, updates)
    both = [(False, fresh), (True, trained)]
    say("measuring the gradients")
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


def systems_flow(name: str, runs: Path) -> list[Flow]:
    """Return the flow in a system with each core on the embedded digits: untrained, and trained if `runs` has it."""
    system, flows = load_system(name), []
    for kind in compare.CORES:
        run = compare.planned(name, kind)
        source = load_data(run)
        batch = take(source.held_out("test"), slice(0, EXAMPLES))
        core = _fresh(run)
        system.prime(core, source.batch(0, source.examples))
        flows.append(_flow(kind, False, in_system(system, run.model, core, batch)))
        folder = compare.folder(runs, name, kind, run.train.seed)
        if compare.finished(folder):
            network = open_trained(folder, name)
            flows.append(_flow(kind, True, in_system(system, network.config, network.core, batch)))
    return flows


def _fresh(run: AnyRun) -> AnyCore:
    """Build the untrained network of a run."""
    torch.manual_seed(run.train.seed)
    return load_system(run.system).build(run.model, load_data(run).facts)


def _trained(run: AnyRun, updates: int) -> AnyCore:
    """Train a run in memory and return its network."""
    learner = Learner(run, load_data(run))
    for _ in track(range(updates), "training", updates):
        learner.advance()
    return learner.core


def _error(run: AnyRun, core: AnyCore) -> float:
    """Return the mean squared error on held-out sequences; compare with `adding.sequences.BLIND_ERROR`."""
    return evaluate(run, core, load_data(run))["mean_squared_error"]


def _at_depth(kind: str, steps: int, layers: int, seed: int) -> Norms:
    run = planned(kind, steps, layers=layers, seed=seed)
    return on_adding(_fresh(run), run)


def _by_length(kind: str, trained: bool, core: AnyCore) -> LengthReach:
    return {
        "core": kind,
        "trained": trained,
        "lengths": list(LENGTHS),
        "reach": [reach(on_adding(core, planned(kind, length))) for length in LENGTHS],
    }


def _flow(core: str, trained: bool, norms: Norms, *, layers: int = 1, detach_every: int | None = None) -> Flow:
    return {"core": core, "trained": trained, "norms": norms, "layers": layers, "detach_every": detach_every}
