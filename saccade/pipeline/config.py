"""Settings of a run: frozen dataclasses, their checks, and their conversion to JSON and back. Torch-free.

Every field is annotated, has a default and a docstring under it; its constraints stand in `Field`. The command line
makes its options and their help from these fields (`saccade.terminal.options`), TOML files use them as keys
(`saccade.pipeline.toml_config`).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from saccade.errors import InputError, closest, shown
from saccade.json_types import Record, Values

if TYPE_CHECKING:
    from saccade.pipeline.systems import Spec

STRICT = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True, allow_inf_nan=False)
"""Checks of every config dataclass: `@dataclass(frozen=True, config=STRICT)`."""

TABLES = ("data", "model", "train")

DataT = TypeVar("DataT")
ModelT = TypeVar("ModelT")


@dataclass(frozen=True, config=STRICT)
class TrainConfig:
    """Settings of the training: an optimizer with a warm-up and a cosine."""

    epochs: int = Field(default=12, ge=1, le=1_000_000)
    """Passes over the training examples."""

    batch_size: int = Field(default=256, ge=1, le=1_000_000)
    """Examples in a step."""

    learning_rate: float = Field(default=1e-3, gt=0)
    """Highest learning rate, reached after the warm-up."""

    optimizer: Literal["adam", "muon"] = "adam"
    """Adam for all parameters, or Muon for the large weight matrices: steeper learning, a third more time a step."""

    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Fraction of the steps in which the learning rate rises from 0."""

    final_learning_rate: float = Field(default=0.0, ge=0, le=1)
    """Learning rate at the end of the cosine, as a fraction of the highest one."""

    start_from: str | None = None
    """Run folder of the same network whose weights training begins with; without it they are drawn by the seed."""

    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Adam's decay per step of the squared gradient's average."""

    clip: float = Field(default=0.0, ge=0)
    """Largest norm of the gradient; 0 does not clip."""

    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay per step of the moving average of the weights that evaluation uses; 0 keeps none."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Number format of the products; auto takes bf16 where the processor is fast at it."""

    detach_every: int = Field(default=0, ge=0)
    """Truncated backpropagation through time: the number of steps after which memory is cut; 0 never cuts."""

    seed: int = Field(default=0, ge=0, le=10**12)
    """Seed of the weights, the order of the examples, the validation split and all noise."""

    deterministic: bool = False
    """Refuse operations whose result may differ from call to call; slower on a GPU, without effect on a CPU."""

    threads: int = Field(default=0, ge=0, le=1000)
    """Processor threads; 0 leaves the choice to torch."""

    save_every_seconds: float = Field(default=30.0, gt=0)
    """Seconds between two checkpoints; an interrupted run loses no more than that."""

    keep: int = Field(default=2, ge=1, le=1000)
    """Checkpoints kept in the run folder."""


@dataclass(frozen=True, config=STRICT)
class Run(Generic[DataT, ModelT]):
    """Everything that decides a result: the system, and the settings of data, model and training."""

    system: str
    """Name of the system, e.g. glimpse."""

    data: DataT
    """Settings of the system's data."""

    model: ModelT
    """Settings of the system's model."""

    train: TrainConfig
    """Settings of the training."""


AnyRun = Run[Any, Any]


CIRCUMSTANCES = ("data.data_dir", "data.features_dir", "train.threads", "train.save_every_seconds", "train.keep")
"""Keys that do not change the result: a run may be resumed with others."""


def default_run(system: str, spec: "Spec[DataT, ModelT, Any]") -> Run[DataT, ModelT]:
    """Return the run that a user who sets nothing gets."""
    return Run(system=system, data=spec.data, model=spec.config(), train=spec.train)


def override(
    run: Run[DataT, ModelT], tables: Mapping[str, Values], where: Callable[[str, str], str]
) -> Run[DataT, ModelT]:
    """Return `run` with the given values of its tables (`{"train": {"epochs": 3}}`) in place of its own.

    `where(table, key)` names the place that a value came from ("--epochs", "ram.toml: [train] epochs") for the error.

    Raises:
        InputError: an unknown table or key, a wrong type, a value out of range; one line, with the closest known key.
    """
    parts = {}
    for table, values in tables.items():
        if table not in TABLES:
            raise InputError(f"a table among {', '.join(TABLES)}", where(table, ""), _suggest(table, TABLES))
        parts[table] = _replace(getattr(run, table), values, lambda key, table=table: where(table, key))
    return dataclasses.replace(run, **parts)


def route(run: Run[DataT, ModelT], settings: Values) -> Run[DataT, ModelT]:
    """Return `run` with settings in place of its own, each put into the table that has a field of its name.

    Raises:
        InputError: a setting that no table has, or a value out of range.
    """
    known = {field.name: table for table in TABLES for field in dataclasses.fields(getattr(run, table))}
    tables: dict[str, Record] = {}
    for name, value in settings.items():
        if name not in known:
            raise InputError(f"a setting of {run.system}", repr(name), _suggest(name, known))
        tables.setdefault(known[name], {})[name] = value
    return override(run, tables, lambda _, key: key)


def to_dict(run: AnyRun) -> Record:
    """Return a run as plain dicts, lists, strings, numbers and None: what JSON holds."""
    return cast(Record, plain(dataclasses.asdict(cast(Any, run))))


def from_dict(data: Values, spec: "Spec[DataT, ModelT, Any]", source: str = "run.json") -> Run[DataT, ModelT]:
    """Return the run that `to_dict` wrote; `source` names it in errors.

    Raises:
        InputError: as `override`; or a table that is missing or no table.
    """
    for key in ("system", *TABLES):
        if not isinstance(data.get(key), str if key == "system" else Mapping):
            kind = "a name" if key == "system" else "a table"
            raise InputError(f"{kind} {key!r} in {source}", shown(data.get(key)), "give the file as it was written")
    tables = {key: value for key, value in data.items() if key != "system"}
    return override(default_run(data["system"], spec), tables, lambda table, key: f"{source}: {table}.{key}")


def differences(old: AnyRun, new: AnyRun) -> list[str]:
    """Return the settings in which two runs differ ("train.epochs: 12, now 20"), circumstances aside."""
    before, after = _flat(old), _flat(new)
    keys = [key for key in {**before, **after} if key not in CIRCUMSTANCES]
    return [
        f"{key}: {before.get(key, 'absent')!r}, now {after.get(key, 'absent')!r}"
        for key in keys
        if before.get(key, "absent") != after.get(key, "absent")
    ]


def _flat(run: AnyRun) -> Record:
    tables = to_dict(run)
    named = {f"{table}.{key}": value for table in TABLES for key, value in tables[table].items()}
    return {"system": run.system, **named}


def _replace(config: Any, values: Any, where: Callable[[str], str]) -> Any:
    """Return a config dataclass with some values replaced, checked by pydantic, its complaint in one line."""
    if not isinstance(values, Mapping):
        found = f"{shown(values)} in {where('')}"
        raise InputError("a table of settings", found, "write `[table]` and its keys under it")
    known = [field.name for field in dataclasses.fields(config)]
    for key in values:
        if key not in known:
            raise InputError(f"a known key ({', '.join(known)})", where(key), _suggest(key, known))
    try:
        return dataclasses.replace(config, **{key: tuples(value) for key, value in values.items()})
    except ValidationError as error:
        raise complaint(error, values, where) from None


def complaint(error: ValidationError, values: Values, where: Callable[[str], str]) -> InputError:
    """Return pydantic's complaint about some values as one line; `where(key)` names the place of a value."""
    first = error.errors(include_url=False)[0]
    expected = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    expected = f"a value {expected}" if expected.startswith(("greater", "less")) else expected
    key = str(first["loc"][0]) if first["loc"] else ""
    if key:
        return InputError(expected, f"{shown(first['input'])} for {where(key)}", "change the value")
    given = ", ".join(f"{where(key)} = {shown(value)}" for key, value in values.items())
    return InputError(expected, given or "a combination of defaults", "change one of them")


def _suggest(word: str, known: Any) -> str:
    near = closest(word, known)
    return f"did you mean {near}?" if near else "name one of these"


def tuples(value: Any) -> Any:
    """Return a value with its lists as tuples: TOML and JSON write lists, configs hold what cannot change."""
    if isinstance(value, dict):
        return {key: tuples(item) for key, item in value.items()}
    return tuple(tuples(item) for item in value) if isinstance(value, list | tuple) else value


def plain(value: Any) -> Any:
    """Return a value with its tuples as lists, as JSON and TOML write them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
