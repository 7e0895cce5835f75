"""The contract of a system: what the pipeline asks of it, and the types that pass between them.

A system owns its data, its settings, its batches and its outputs. The pipeline handles batches, episodes and outputs as
trees of tensors and never looks inside; a renderer sees a `Trace` and never a model.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, Protocol, TypeVar, cast

import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.json_types import Record, Values
from saccade.pipeline import systems
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.config import Run
from saccade.recurrent.core import AnyCore
from saccade.recurrent.tree import Tree

if TYPE_CHECKING:
    from saccade.pipeline.trained import Trained

DataT = TypeVar("DataT")
ConfigT = TypeVar("ConfigT")
BatchT = TypeVar("BatchT")
FactsT = TypeVar("FactsT", bound=systems.Facts)
OutputT = TypeVar("OutputT")

InputsT = TypeVar("InputsT")
ContextT = TypeVar("ContextT")
TargetsT = TypeVar("TargetsT")
BatchOut = TypeVar("BatchOut", covariant=True)
FactsOut = TypeVar("FactsOut", covariant=True)

Split = Literal["validation", "test"]

EXAMPLES_AT_ONCE = 500
"""Examples in a batch of an evaluation, unless the system says otherwise."""


class Source(Protocol[BatchOut, FactsOut]):
    """The data of one run, every batch a pure function of (seed, step): a resumed run sees what an unbroken one saw."""

    @property
    def facts(self) -> FactsOut:
        """Facts of the data that a checkpoint must remember."""
        ...

    @property
    def examples(self) -> int:
        """Training examples in an epoch."""
        ...

    @property
    def device(self) -> torch.device:
        """Device of the data."""
        ...

    def batch(self, step: int, size: int) -> BatchOut:
        """Return training batch number `step`, every leaf [size, ...].

        Raises:
            InputError: the batch is larger than the training set.
        """
        ...

    def held_out(self, split: Split) -> BatchOut:
        """Return a whole held-out set, every leaf [N, ...]; the same in every run.

        Raises:
            InputError: nothing was held out for that split.
        """
        ...


AnySource = Source[Any, Any]


class Episode(NamedTuple, Generic[InputsT, ContextT, TargetsT]):
    """Everything that an unroll and its loss need."""

    inputs: InputsT
    """Every leaf [T, B, ...]; all randomness is here."""
    context: ContextT = cast(ContextT, None)
    """Given to every step, every leaf [B, ...]."""
    targets: TargetsT = cast(TargetsT, None)
    """One for each example, every leaf [B, ...] (many to one)."""
    step_targets: Tree = None
    """One for each step, every leaf [T, B, ...] (many to many)."""
    lengths: Tensor | None = None
    """Steps of each example, int64 [B]; None: all T."""


AnyEpisode = Episode[Any, Any, Any]


class Loss(NamedTuple):
    """The scalar to minimise, and its parts by name (detached scalars, for the log)."""

    total: Tensor
    terms: dict[str, Tensor]


class Trace(NamedTuple):
    """The record of an unrolled network: all that a renderer sees."""

    system: str
    """The system's name."""
    outputs: Any
    """Outputs of the unroll, every leaf [T, B, ...]."""
    episode: AnyEpisode
    """The unrolled episode."""
    batch: Any
    """The batch of the episode, every leaf [B, ...]."""
    facts: Any
    """The facts of the network's data."""
    remark: str | None = None
    """A sentence that its pictures show below; None if there is nothing to say."""


class System(ABC, Generic[DataT, ConfigT, BatchT, FactsT, OutputT]):
    """A kind of network with its data, loss, metrics and pictures: `SYSTEM` in a package's `system.py`.

    The abstract methods are the whole of it; all else has a default.
    """

    glide_frames: ClassVar[int] = 0
    """Frames that a film shows on the way from one step to the next; more than 0 if `picture` takes a fractional t."""
    glide_up_to: ClassVar[int] = 1000
    """Most steps of a film that glides."""
    strip_frames: ClassVar[int] = 1000
    """Most frames of an example in a strip; the steps are evenly chosen."""
    strip_of_tiles: ClassVar[bool] = False
    """True if a strip of one example shows `tile`, not `picture`."""
    reads_data: ClassVar[bool] = True
    """True if `showcase` needs the data; False if the network invents its examples."""

    @abstractmethod
    def load(self, run: Run[DataT, ConfigT], device: torch.device) -> Source[BatchT, FactsT]:
        """Load the data of a run.

        Raises:
            InputError: unknown, missing, damaged or unfit data.
        """

    @abstractmethod
    def build(self, config: ConfigT, facts: FactsT) -> AnyCore:
        """Build a freshly initialised network for data with those facts.

        Raises:
            InputError: the settings do not fit the data.
        """

    @abstractmethod
    def episode(
        self, batch: BatchT, config: ConfigT, generator: torch.Generator, *, progress: float = 1.0
    ) -> AnyEpisode:
        """Make the episode of a batch, its randomness drawn from `generator`.

        Args:
            progress: how far training has come, in [0, 1] (for annealed noise).
        """

    @abstractmethod
    def loss(self, outputs: OutputT, episode: AnyEpisode, config: ConfigT) -> Loss:
        """Return the loss of an unrolled episode."""

    @abstractmethod
    def metrics(self, outputs: OutputT, episode: AnyEpisode, config: ConfigT) -> dict[str, Tensor]:
        """Measure each example of an unrolled episode: always [B, ...].

        For sequences give sums and counts, so that long sequences weigh as they should.
        """

    @abstractmethod
    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: ConfigT) -> Record:
        """Return the system's part of metrics.json, from the metrics [N, ...] of every condition and replay."""

    @abstractmethod
    def picture(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw one frame, uint8 [H, W, 3], from the trace alone."""

    def tile(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the same, small, for a wall of many examples. Default: `picture`."""
        return self.picture(trace, t, example)

    def prime(self, core: AnyCore, batch: BatchT) -> None:
        """Give a fresh network what it takes from training examples before it learns. Default: nothing."""

    def conditions(self, config: ConfigT) -> dict[str, ConfigT]:
        """Return the settings under which an evaluation runs the same weights, by name, the main one first."""
        return {"main": config}

    def replays(self, outputs: OutputT, episode: AnyEpisode, config: ConfigT) -> dict[str, AnyEpisode]:
        """Return further episodes of an evaluation, made from what happened under the main condition, by name."""
        return {}

    def health(self, outputs: OutputT, episode: AnyEpisode, config: ConfigT) -> dict[str, float]:
        """Return cheap scalars for the training log that show if learning goes well."""
        return {}

    def warnings(self, health: Mapping[str, float], config: ConfigT) -> list[str]:
        """Return what a user should know when those scalars look bad, one line each."""
        return []

    def examples_at_once(self, config: ConfigT) -> int:
        """Return the number of examples in a batch of an evaluation."""
        return EXAMPLES_AT_ONCE

    def charts(self, metrics: Values) -> dict[str, bytes]:
        """Return charts of an evaluation, PNG files by name."""
        return {}

    def trained(self) -> "type[Trained[ConfigT, BatchT, FactsT]]":
        """Return the class of a trained network of this system in Python: `saccade.load` gives one."""
        from saccade.pipeline.trained import Trained

        return Trained

    def showcase(self, trained: "Trained[ConfigT, BatchT, FactsT]", source: AnySource | None, count: int) -> Trace:
        """Return what a report's film shows: by default the first `count` test examples."""
        assert source is not None
        return trained.look(trained.held_out(source, "test", 0, count))

    def showcase_caption(self) -> str:
        """Return the sentence under that film."""
        return "Test examples, step by step."


AnySystem = System[Any, Any, Any, Any, Any]


def load_system(name: str) -> AnySystem:
    """Return the system of that name, imported on demand.

    Raises:
        InputError: no such system, or a package that is no system.
    """
    found = getattr(systems.module(name, "system"), "SYSTEM", None)
    if not isinstance(found, System):
        where = f"{systems.packages()[name]}.system"
        raise InputError(f"SYSTEM, an instance of saccade.pipeline.contract.System, in {where}", f"{found!r:.60}", DO)
    return cast(AnySystem, found)


DO = "see docs/new-system.md"
