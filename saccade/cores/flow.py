"""Vanishing gradients, measured: how strongly a loss still feels the state of a core at every step before it.

On the adding problem before and after a short training, by depth, under truncated BPTT and by length; and in RAM and
DRAW on the embedded digits. All by `recurrent.unroll.gradient_flow`, all numbers plain floats (JSON).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from saccade.cores import compare
from saccade.cores.adding import KINDS, Adder, Lesson, Sequences, held_out_error, sequences, train
from saccade.pipeline import trained as verbs
from saccade.pipeline.contract import Batch, System, load
from saccade.recurrent.core import AnyCore
from saccade.recurrent.gradient_flow import gradient_flow

LENGTHS = (10, 20, 50, 100, 200, 500)
"""Lengths of the adding problem at which the flow is measured."""

DEPTHS = (1, 2, 3)
"""Layers of the stacks that are compared."""

CUTS = (2, 5, 10)
"""Truncated BPTT is shown with windows of the steps divided by these."""

EXAMPLES = 64
"""Sequences or images over which a gradient's norm is taken."""

UNSEEN = 1 << 41  # seed of the sequences whose gradients are measured

Norms = dict[str, list[float]]  # state field -> ||dL/ds_t|| at each step


class Flow(NamedTuple):
    """One measurement: whose gradient, and its norm at every step of every state field."""

    core: str
    trained: bool
    norms: Norms
    layers: int = 1
    detach_every: int | None = None


def on_adding(adder: Adder, length: int, detach_every: int | None = None) -> Norms:
    """||dL/ds_t|| of the squared error after `length` steps, in float64: float32 ends at 1e-45."""
    drawn = Sequences(*(tensor.double() for tensor in sequences(length, EXAMPLES, UNSEEN)))
    return _plain(
        gradient_flow(
            deepcopy(adder).double(),
            drawn.inputs,
            None,
            lambda answer: F.mse_loss(answer, drawn.sums),
            batch_size=EXAMPLES,
            detach_every=detach_every,
        )
    )


def in_system(system: System, config: Any, core: AnyCore, batch: Batch) -> Norms:
    """||dL/ds_t|| of a system's own loss on one batch of images."""
    episode = system.episode(batch, config, torch.Generator().manual_seed(0))
    rows = len(episode.targets)
    loss = lambda outputs: system.loss(outputs, episode, config).total  # noqa: E731
    return _plain(gradient_flow(core, episode.inputs, episode.context, loss, batch_size=rows))


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
    fresh = {kind: _adder(kind, seed) for kind in KINDS}
    trained = deepcopy(fresh)
    for kind, adder in trained.items():
        say(f"{kind}: {updates} updates on the adding problem of {steps} steps")
        train(adder, Lesson(steps, updates, seed=seed))
    both = [(False, fresh), (True, trained)]
    say("following the gradients back")
    return {
        "steps": steps,
        "updates": updates,
        "seed": seed,
        "adding": [_flow(kind, t, on_adding(a, steps)) for t, each in both for kind, a in each.items()],
        "held_out_error": {
            kind: {"fresh": held_out_error(fresh[kind], steps), "trained": held_out_error(trained[kind], steps)}
            for kind in KINDS
        },
        "by_length": [_by_length(kind, t, a) for t, each in both for kind, a in each.items()],
        "depth": [
            _flow(kind, False, on_adding(_adder(kind, seed, layers), steps), layers=layers)
            for kind in KINDS
            for layers in DEPTHS
        ],
        "truncation": [
            _flow("lstm", True, on_adding(trained["lstm"], steps, cut), detach_every=cut)
            for cut in (None, *dict.fromkeys(max(1, steps // divisor) for divisor in CUTS))
        ],
        "systems": {name: systems_flow(name, runs) for name in compare.SYSTEMS},
    }


def systems_flow(name: str, runs: Path) -> list[dict[str, Any]]:
    """The flow in a system with each core on the embedded digits: fresh, and trained where `runs` holds it."""
    system, found = load(name), []
    for kind in compare.CORES:
        run = compare.planned(name, kind)
        source = verbs.load_images(run)
        whole = source.held_out("test")
        batch = Batch(whole.images[:EXAMPLES], whole.labels[:EXAMPLES])
        torch.manual_seed(run.train.seed)
        core = system.build(run.model, source.shape)
        system.prime(core, source.batch(0, source.examples))
        found.append(_flow(kind, False, in_system(system, run.model, core, batch)))
        folder = compare.folder(runs, name, kind, run.train.seed)
        if compare.finished(folder):
            network = verbs.open_network(folder, name)
            found.append(_flow(kind, True, in_system(system, network.folder.run.model, network.core, batch)))
    return found


def _adder(kind: str, seed: int, layers: int = 1) -> Adder:
    torch.manual_seed(seed)
    return Adder(kind, layers=layers)


def _by_length(kind: str, trained: bool, adder: Adder) -> dict[str, Any]:
    return {
        "core": kind,
        "trained": trained,
        "lengths": list(LENGTHS),
        "reach": [reach(on_adding(adder, length)) for length in LENGTHS],
    }


def _flow(core: str, trained: bool, norms: Norms, **facts: Any) -> dict[str, Any]:
    return Flow(core, trained, norms, **facts)._asdict()


def _plain(flow: Mapping[str, torch.Tensor]) -> Norms:
    return {field: norms.tolist() for field, norms in flow.items()}
