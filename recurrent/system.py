"""The contract that a system (glimpse, baseline, ...) signs, and how one is found by its name.

A system is a package with a torch-free `config.py` and a `system.py` that exports the functions of `System`.
"""

import importlib
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from recurrent.config import DataConfig
from recurrent.core import RecurrentCore
from recurrent.errors import InputError


class Shape(NamedTuple):
    """What a model needs to know of its data; height and width in pixels."""

    channels: int
    height: int
    width: int
    classes: int


class Batch(NamedTuple):
    """Images float32 [B, C, H, W] in [0, 1], labels int64 [B], and where the digits are, if that is known."""

    images: Tensor
    labels: Tensor
    places: Tensor | None = None  # (x, y) of each digit's middle, image coordinates in [-1, 1] [B, 2]


class Episode(NamedTuple):
    """Everything an unroll needs: inputs [T, B, ...] (the randomness too), context [B, ...], targets [B]."""

    inputs: Any
    context: Any
    targets: Tensor


class Loss(NamedTuple):
    """The scalar to minimise, and its parts by name (detached scalars, for the log)."""

    total: Tensor
    terms: dict[str, Tensor]


class Trace(NamedTuple):
    """What a network did: all that a renderer sees. Outputs [T, B, ...], images [B, C, H, W], targets [B]."""

    outputs: Any
    images: Tensor
    targets: Tensor
    classes: tuple[str, ...]


class System(Protocol):
    """What a package's `system.py` exports. It may leave out what has a default, see `load`."""

    Config: type

    def build(self, config: Any, shape: Shape) -> RecurrentCore: ...

    def episode(self, batch: Batch, config: Any, generator: torch.Generator, *, progress: float = 1.0) -> Episode:
        """An episode for one batch; `progress` in [0, 1] is how far training has come (for annealed noise)."""
        ...

    def loss(self, outputs: Any, episode: Episode, config: Any) -> Loss: ...

    def metrics(self, outputs: Any, episode: Episode, config: Any) -> dict[str, Tensor]:
        """Per-example measurements, [B] or [T, B], of one unrolled batch."""
        ...

    def replays(self, outputs: Any, episode: Episode, config: Any) -> dict[str, Episode]:
        """Further episodes for an evaluation, made from what happened under the main condition, by name."""
        ...

    def health(self, outputs: Any, episode: Episode, config: Any) -> dict[str, float]:
        """Cheap scalars for the training log that tell whether learning goes well."""
        ...

    def warnings(self, health: Mapping[str, float], config: Any) -> list[str]:
        """What a person should know when those scalars look bad, one line each."""
        ...

    def conditions(self, config: Any) -> dict[str, Any]:
        """The configurations under which an evaluation runs the same weights, by name, the main one first."""
        ...

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Any) -> dict[str, Any]:
        """The system's part of metrics.json, from the metrics of every condition and replay over a split."""
        ...

    def picture(self, trace: Trace, t: int, example: int) -> np.ndarray:
        """One frame, uint8 [H, W, 3], from the trace alone."""
        ...

    def tile(self, trace: Trace, t: int, example: int) -> np.ndarray:
        """The same, small, for a wall of many; by default `picture`."""
        ...

    def prime(self, core: Any, batch: Batch) -> None:
        """Give a fresh model what it takes from training images before it learns; by default nothing."""
        ...

    def examples_at_once(self, config: Any) -> int:
        """How many images an evaluation hands to `episode` at a time; by default EXAMPLES_AT_ONCE."""
        ...

    def data_for(self, config: Any, data: DataConfig) -> DataConfig:
        """The data's settings with what they leave to the model (`auto`) decided; by default grey levels."""
        ...

    def charts(self, metrics: Mapping[str, Any]) -> dict[str, bytes]:
        """Charts of what an evaluation found, PNGs by name; by default none."""
        ...


EXAMPLES_AT_ONCE = 500
"""Images in a batch of an evaluation, unless the system says otherwise."""


SYSTEMS = ("glimpse", "draw", "baseline")


def load(name: str) -> System:
    """The system of that name, imported on demand, with the defaults for what its module leaves out.

    Raises:
        InputError: no such system.
    """
    try:
        module: ModuleType = importlib.import_module(f"{name}.system")
    except ModuleNotFoundError as error:
        if error.name not in (name, f"{name}.system"):
            raise
        raise InputError(f"a system: {', '.join(SYSTEMS)}", repr(name), "name one of them") from None
    defaults = {
        "tile": module.picture,
        "prime": lambda core, batch: None,
        "charts": lambda metrics: {},
        "examples_at_once": lambda config: EXAMPLES_AT_ONCE,
        "data_for": lambda config, data: replace(data, binarise="none") if data.binarise == "auto" else data,
    }
    return cast(System, SimpleNamespace(**(defaults | vars(module))))
