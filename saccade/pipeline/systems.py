"""Systems and how they are found: the entry-point group `saccade.systems`. Torch-free.

An entry point names a package: `glimpse = "saccade.glimpse"`. The package holds

- `config.py`: `SPEC`, a `Spec` (torch-free: settings, facts, metrics);
- `system.py`: `SYSTEM`, an instance of its `saccade.pipeline.contract.System`;
- `commands.py`, optional: `VERBS`, command-line verbs by name; without it the system has train, eval and gif.

The package's docstring is its line in `saccade --help`.
"""

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from saccade.errors import InputError, closest
from saccade.json_types import Values

if TYPE_CHECKING:
    from saccade.pipeline.config import TrainConfig

GROUP = "saccade.systems"

DataT = TypeVar("DataT")
ConfigT = TypeVar("ConfigT")
FactsT = TypeVar("FactsT", bound="Facts")


@dataclass(frozen=True)
class Facts:
    """Base of what a checkpoint remembers of the data (image size, class names, ...); plain values, kept in run.json.

    A subclass is a frozen pydantic dataclass (`config=STRICT`): run.json may come from a stranger.
    """

    added: ClassVar[frozenset[str]] = frozenset()
    """Names of facts that older runs lack; each has a default."""

    def describe(self) -> dict[str, str]:
        """Return rows for the model card: what the data is, in words."""
        return {item.name.replace("_", " "): str(getattr(self, item.name)) for item in fields(self)}

    def differences(self, other: "Facts") -> list[str]:
        """Return what differs in the facts of other data ("height: 28, now 60")."""
        pairs = {item.name: (getattr(self, item.name), getattr(other, item.name, None)) for item in fields(self)}
        return [f"{name}: {own}, now {now}" for name, (own, now) in pairs.items() if own != now]


@dataclass(frozen=True)
class NoFacts(Facts):
    """Facts of data of which a model needs to know nothing."""


@dataclass(frozen=True)
class Metric:
    """A number of metrics.json that tables, cards, the screen and the report show."""

    key: str
    """Its key in metrics.json: "bound_nats", or "controls.random" for an entry of a group."""
    heading: str
    """Column heading in a table of results."""
    unit: str = ""
    """Unit as a reader sees it behind the number, e.g. "% test error"."""
    note: str = ""
    """Sentence above a table whose headline this is."""
    better: Literal["lower", "higher"] = "lower"
    sample_label: str = ""
    """For a group keyed by a sample count (K): show the last entry, and this label with its key."""
    optional: bool = False
    """True if only some data give the number."""

    @property
    def name(self) -> str:
        """The key's first part, as a paper's number is named in a TOML row: `paper_NAME`."""
        return self.key.partition(".")[0]

    def value(self, metrics: Values) -> float | None:
        """Return the number, or None where these metrics do not have it. Of a whole group, return its first entry
        (its last, where it is keyed by a sample count)."""
        found = metrics.get(self.name)
        entry = self.key.partition(".")[2]
        if isinstance(found, Mapping):
            values = list(found.values())
            found = found.get(entry) if entry else (values[-1 if self.sample_label else 0] if values else None)
        elif entry:
            return None
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _usual_training() -> "TrainConfig":
    from saccade.pipeline.config import TrainConfig  # pydantic takes its time, and `saccade --help` needs none of it

    return TrainConfig()


@dataclass(frozen=True)
class Spec(Generic[DataT, ConfigT, FactsT]):
    """The torch-free half of a system: its settings, what a run remembers of its data, and what it measures."""

    config: type[ConfigT]
    """Settings of the model: TOML table [model]."""
    data: DataT
    """Settings of the data, with their defaults: TOML table [data]."""
    facts: type[FactsT]
    """Facts of the data that a checkpoint remembers."""
    metrics: tuple[Metric, ...]
    """Numbers to show; the first sums up a network."""
    train: "TrainConfig" = field(default_factory=_usual_training)
    """Default training."""
    unit: str = "examples"
    """Name of training examples: "1,240 drawings/s"."""
    learning_term: str = "loss"
    """Term of the loss that a learning curve shows."""

    @property
    def headline(self) -> Metric:
        """The number that sums up a network of this system."""
        return self.metrics[0]


AnySpec = Spec[Any, Any, Any]


@functools.cache
def packages() -> dict[str, str]:
    """Return the import path of every installed system's package by the system's name, sorted by name."""
    found = importlib.metadata.entry_points(group=GROUP)
    return {point.name: point.value for point in sorted(found, key=lambda point: point.name)}


def names() -> list[str]:
    """Return the names of the systems that are installed."""
    return list(packages())


def spec(name: str) -> AnySpec:
    """Return a system's `Spec`; imports its `config` module alone.

    Raises:
        InputError: no such system, or a package that is no system.
    """
    found = module(name, "config")
    if not isinstance(getattr(found, "SPEC", None), Spec):
        raise InputError(f"SPEC, a Spec, in {packages()[name]}.config", "none", "see docs/new-system.md")
    return found.SPEC


def has(name: str, part: str) -> bool:
    """Return True if a system's package is there and has that module."""
    with contextlib.suppress(ModuleNotFoundError):
        return importlib.util.find_spec(f"{packages()[name]}.{part}") is not None
    return False


def module(name: str, part: str) -> ModuleType:
    """Import a module of a system's package: "config", "system", "commands".

    Only packages that are installed as systems are imported; the name may come from a stranger's file.

    Raises:
        InputError: no such system, or its package is not there.
    """
    if name not in packages():
        near = closest(name, names())
        known = ", ".join(names()) or "none is installed: pip install -e ."
        raise InputError(f"a system: {known}", f"{name!r:.80}", f"did you mean {near}?" if near else "name one of them")
    path = f"{packages()[name]}.{part}"
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not path.startswith(error.name):
            raise
        raise InputError(f"the package of the system {name}", f"no {error.name}", "install it again") from None
