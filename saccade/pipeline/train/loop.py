"""Training: one loop for every system, on one process or several; every step is a function of (seed, step).

Batches, noise and learning rate depend on the step's number and the seed alone, so a snapshot holds the weights, the
optimizer's moments, the moving average and the step: nothing else is needed to go on bit for bit.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, cast

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from saccade.errors import InputError
from saccade.pipeline.checkpoint.checkpoints import check_fits, load_into, load_trained, room_for, trained
from saccade.pipeline.checkpoint.run_folder import open_run
from saccade.pipeline.checkpoint.snapshot import Snapshot, on_cpu
from saccade.pipeline.config import AnyRun
from saccade.pipeline.contract import AnyEpisode, AnySource, Episode, Loss, load_system
from saccade.pipeline.device import keep_freed_memory, mixed_precision, only_deterministic
from saccade.pipeline.train.divergence import not_finite
from saccade.pipeline.train.optimizers import learning_rate, moments, optimizers, restore_moments
from saccade.recurrent.core import AnyCore
from saccade.recurrent.tree import Tree, map_tensors
from saccade.recurrent.unroll import Unrolled

LOG_EVERY_SECONDS = 1.0
PRIMING_EXAMPLES = 1000
"""Training examples that a system sees in `prime`, before it learns."""

SETTLED = 0.1
"""Fraction of the training after which bad health is worth a warning."""


class Progress(NamedTuple):
    """State of a training: means since the last report; rates in examples per second; times in seconds."""

    step: int
    steps: int
    epoch: float
    examples_per_second: float
    seconds: float
    loss: float
    terms: dict[str, float]
    health: dict[str, float]
    learning_rate: float
    warnings: tuple[str, ...]


def train(
    run: AnyRun, source: AnySource, *, resume: Snapshot | None = None, stop: Callable[[], bool] = lambda: False
) -> Iterator[Progress | Snapshot]:
    """Train a run, from its beginning or from a snapshot, until its end or until `stop` says so after a step.

    Yields:
        A `Progress` about once a second, a `Snapshot` every `save_every_seconds`, and both at the end.

    Raises:
        InputError: the batch is larger than the data, or the snapshot is of another model.
        NotFinite: at the first step whose loss or gradient is not; the weights are those before it.
    """
    learner = Learner(run, source)
    if resume is not None:
        learner.restore(resume)
    elif run.train.start_from is not None:
        learner.begin_with(Path(run.train.start_from))
    saved = reported = began = time.perf_counter()
    steps_before = learner.step
    last = learner.step >= learner.steps
    while not last:
        stopped = learner.advance(stop)
        now = time.perf_counter()
        last = stopped or learner.step == learner.steps
        if last or now - reported >= LOG_EVERY_SECONDS:
            done = (learner.step - steps_before) * run.train.batch_size
            yield learner.report(now - began, done / (now - reported))
            steps_before, reported = learner.step, time.perf_counter()
        if last or now - saved >= run.train.save_every_seconds:
            yield learner.snapshot()
            saved = time.perf_counter()


def starting_weights(core: AnyCore, folder: Path) -> Snapshot:
    """Return the last weights of another run, which must fit `core`.

    Raises:
        InputError: no run folder, no checkpoint in it, or the weights of another network.
    """
    snapshot = trained(open_run(folder).path, room_for(core))
    if snapshot is None:
        raise InputError(f"a checkpoint in {folder}", "none", "train that run first")
    check_fits(core, snapshot.tensors)
    return snapshot


class Learner:
    """A model, its optimizers and where they stand; `advance` takes one step."""

    def __init__(self, run: AnyRun, source: AnySource) -> None:
        config = run.train
        if config.batch_size > source.examples:
            raise InputError(
                f"at most the {source.examples} training examples in a batch",
                f"batch_size = {config.batch_size}",
                "choose a smaller batch_size",
            )
        if config.threads:
            torch.set_num_threads(config.threads)
        only_deterministic(config.deterministic)
        self.run, self.source, self.step = run, source, 0
        self.steps = config.epochs * (source.examples // config.batch_size)
        self.system = load_system(run.system)
        device = source.device
        AcceleratorState._reset_state(reset_partial_state=False)  # one process may train several runs
        self.accelerator = Accelerator(
            mixed_precision=mixed_precision(config.precision, device),
            cpu=device.type == "cpu",
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],  # a control trains no policy
        )
        keep_freed_memory()
        torch.manual_seed(config.seed)
        self.core = self.system.build(run.model, source.facts).to(device)
        self.system.prime(self.core, source.batch(0, min(source.examples, PRIMING_EXAMPLES)))
        self.optimizers = optimizers(self.core, config)
        self.model = self.accelerator.prepare(Unrolled(self.core, config.detach_every or None))
        average = get_ema_multi_avg_fn(config.ema)
        self.average = AveragedModel(self.core, multi_avg_fn=average) if config.ema else None
        self.losses: list[float] = []
        self.terms: list[dict[str, float]] = []
        self.last: tuple[Tree, AnyEpisode] | None = None

    def advance(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Take one optimizer step on this process's share of one batch; return True if any process is asked to stop."""
        config = self.run.train
        batch = self.source.batch(self.step, config.batch_size)
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        whole = self.system.episode(batch, self.run.model, generator, progress=self.step / self.steps)
        episode = self._share(whole)
        outputs = self.model(episode.inputs, episode.context, episode.lengths)
        loss = self.system.loss(outputs, episode, self.run.model)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss.total)
        parameters = [p for p in self.core.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        total, terms, stopped = self._agreed(loss, stop())
        if not math.isfinite(total + norm.item()):
            raise not_finite(self.core, self.step, batch, whole, total, terms, norm.item())
        if config.clip:
            nn.utils.clip_grads_with_norm_(parameters, config.clip, norm)
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = learning_rate(self.step, self.steps, config)
            optimizer.step()
        self.step += 1
        if self.average is not None:
            self.average.update_parameters(self.core)
        self.losses.append(total)
        self.terms.append(terms)
        self.last = (map_tensors(Tensor.detach, outputs), episode)
        return stopped

    def _agreed(self, loss: Loss, stop: bool) -> tuple[float, dict[str, float], bool]:
        """Return the loss and its terms, means over the processes, and True if one of them is asked to stop.

        Since all hear the same, all stop after the same step, or at the same loss that is not finite.
        """
        values = torch.stack([loss.total.detach().float(), *(term.float() for term in loss.terms.values())])
        if self.accelerator.num_processes > 1:
            values = torch.cat([values, values.new_tensor([float(stop)])])
            *means, stopped = cast(Tensor, self.accelerator.reduce(values, "mean")).tolist()
        else:
            means, stopped = values.tolist(), stop
        return means[0], dict(zip(loss.terms, means[1:], strict=True)), bool(stopped)

    def _share(self, episode: AnyEpisode) -> AnyEpisode:
        """Return this process's examples: every P-th of the batch, so that an example's rollouts stay together."""
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        if processes == 1:
            return episode
        if self.run.train.batch_size % processes:
            raise InputError(
                f"a batch_size that {processes} processes can share", str(self.run.train.batch_size), "change it"
            )
        share = lambda leaf: leaf[rank::processes]  # noqa: E731
        share_steps = lambda leaf: leaf[:, rank::processes]  # noqa: E731
        return Episode(
            inputs=map_tensors(share_steps, episode.inputs),
            context=map_tensors(share, episode.context),
            targets=map_tensors(share, episode.targets),
            step_targets=map_tensors(share_steps, episode.step_targets),
            lengths=None if episode.lengths is None else share(episode.lengths),
        )

    def report(self, seconds: float, rate: float) -> Progress:
        """Return means of the loss and its terms since the last report, and the health of this process's last batch."""
        loss = statistics.fmean(self.losses)
        terms = {name: statistics.fmean(t[name] for t in self.terms) for name in self.terms[0]}
        assert self.last is not None
        outputs, episode = self.last
        health = self.system.health(outputs, episode, self.run.model)
        settled = self.step > SETTLED * self.steps  # a policy begins where it was put: that is no collapse
        warnings = tuple(self.system.warnings(health, self.run.model)) if settled else ()
        self.losses, self.terms = [], []
        epoch = self.run.train.epochs * self.step / self.steps  # whole batches make an epoch; the remainder is left out
        rate_now = self.optimizers[0].param_groups[0]["lr"]
        return Progress(self.step, self.steps, epoch, rate, seconds, loss, terms, health, rate_now, warnings)

    def snapshot(self) -> Snapshot:
        """Copy everything that the next step depends on.

        Raises:
            InputError: a weight is not finite; what was saved before stays the newest.
        """
        for name, parameter in self.core.named_parameters():
            if not parameter.isfinite().all():
                found = f"NaN or infinity in {name} by step {self.step}"
                raise InputError("finite weights", found, "lower the learning rate, or set --clip")
        tensors = {f"model/{name}": t for name, t in self.core.state_dict().items()}
        if self.average is not None:
            tensors |= {f"ema/{name}": t for name, t in self.average.module.state_dict().items()}
        tensors |= moments(self.core, self.optimizers)
        return Snapshot(self.step, on_cpu(tensors), {"steps": self.steps, "seed": self.run.train.seed})

    def begin_with(self, folder: Path) -> None:
        """Begin with another run's last weights, the averaged ones where it kept an average; nothing else of it.

        Raises:
            InputError: as `starting_weights`.
        """
        load_trained(self.core, starting_weights(self.core, folder).tensors)

    def restore(self, snapshot: Snapshot) -> None:
        """Continue from a snapshot of this very model.

        Raises:
            InputError: a part of it is missing, or is not of this model's shape.
        """
        load_into(self.core, snapshot.tensors, "model/")
        restore_moments(self.core, self.optimizers, snapshot.tensors)
        if self.average is not None:
            load_into(self.average.module, snapshot.tensors, "ema/")
            self.average.n_averaged.fill_(snapshot.step)
        self.step = snapshot.step
