"""What a run is made of: frozen dataclasses, their checks, and their way to JSON and back. Torch-free.

Every field is annotated, has a default and a docstring under it; its constraints stand in `Field`. The command line
makes its options and their help from these fields (`recurrent.options`), TOML files name them (`recurrent.toml`).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, TypeVar, cast

from pydantic import ConfigDict, Field, ValidationError, field_validator
from pydantic.dataclasses import dataclass

from saccade.errors import InputError, closest, shown

STRICT = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True, allow_inf_nan=False)
"""How every config dataclass is checked: `@dataclass(frozen=True, config=STRICT)`."""

LAID_OUT = ("translated", "cluttered", "pairs")
"""Data sets of MNIST's digits on larger canvases, which are drawn anew for every batch."""

DATASETS = ("digits", "mnist", *LAID_OUT)
TABLES = ("data", "model", "train")

Model = TypeVar("Model")


@dataclass(frozen=True, config=STRICT)
class DataConfig:
    """Which images to learn from, and how they are laid out."""

    dataset: str = "digits"
    """Images to use: digits (embedded), mnist, translated, cluttered, pairs (two digits), or folder:PATH with a folder
    per class."""

    data_dir: str | None = None
    """Folder of downloaded data; without it SACCADE_DATA, and without that ~/.cache/saccade."""

    validation: int = Field(default=0, ge=0)
    """Training images held back for choosing settings, drawn by the seed; 0 trains on all of them."""

    canvas: int = Field(default=60, ge=28, le=4096)
    """Height and width in pixels of the images of translated, cluttered and pairs."""

    pieces: int = Field(default=4, ge=0, le=1000)
    """Pieces of other digits scattered over a cluttered image."""

    pool: Literal["mnist", "digits"] = "mnist"
    """Whose digits the images of translated, cluttered and pairs show."""

    smallest: int = Field(default=28, ge=4)
    """Least side in pixels to which the digits of such images are brought, each size as likely as any other; an MNIST
    image, border included, has 28."""

    largest: int = Field(default=28, ge=4)
    """Greatest side of these digits."""

    piece_size: int = Field(default=8, ge=1, le=28)
    """Height and width in pixels of such a piece."""

    shift: int = Field(default=0, ge=0)
    """Augmentation: training images are moved by up to this many pixels, both ways."""

    binarise: Literal["none", "fixed", "dynamic", "auto"] = "none"
    """Black and white, each pixel white with its grey level as probability: drawn once, or anew for every batch (as
    canvases that are themselves new always are); auto: as the model's likelihood wants it, none or fixed."""

    @field_validator("dataset")
    @classmethod
    def _known(cls, dataset: str) -> str:
        if dataset in DATASETS or (dataset.startswith("folder:") and dataset != "folder:" and dataset.isprintable()):
            return dataset
        raise ValueError(f"one of {', '.join(DATASETS)} or folder:PATH")


@dataclass(frozen=True, config=STRICT)
class TrainConfig:
    """How to learn: an optimizer under a warm-up and a cosine."""

    epochs: int = Field(default=12, ge=1, le=1_000_000)
    """Passes over the training images."""

    batch_size: int = Field(default=256, ge=1, le=1_000_000)
    """Images in a step."""

    learning_rate: float = Field(default=1e-3, gt=0)
    """Highest learning rate, reached after the warm-up."""

    optimizer: Literal["adam", "muon"] = "adam"
    """Adam for all parameters, or Muon for the large weight matrices: steeper learning, a third more time a step."""

    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Fraction of the steps in which the learning rate rises from 0."""

    final_learning_rate: float = Field(default=0.0, ge=0, le=1)
    """Where the cosine ends, as a fraction of the learning rate."""

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
    """Truncated backpropagation through time: memory is cut every so many steps; 0 never cuts."""

    seed: int = Field(default=0, ge=0, le=10**12)
    """Seed of the weights, the order of the images, the validation split and the policy's noise."""

    deterministic: bool = False
    """Refuse operations whose result may differ from call to call; slower on a GPU, without effect on a CPU."""

    threads: int = Field(default=0, ge=0, le=1000)
    """Processor threads; 0 leaves the choice to torch."""

    save_every_seconds: float = Field(default=30.0, gt=0)
    """Seconds between two checkpoints; an interrupted run loses no more than that."""

    keep: int = Field(default=2, ge=1, le=1000)
    """Checkpoints kept in the run folder."""


@dataclass(frozen=True, config=STRICT)
class Run(Generic[Model]):
    """Everything that decides a result: which system, on which data, which model, trained how."""

    system: str
    """Name of the system, e.g. glimpse."""

    data: DataConfig
    """Where the images come from."""

    model: Model
    """The system's own config."""

    train: TrainConfig
    """How it learns."""


CIRCUMSTANCES = ("data.data_dir", "train.threads", "train.save_every_seconds", "train.keep")
"""Keys that say where and how a run is carried out, not what it is: a run may be resumed with others."""


def default_run(system: str, config: type[Model]) -> Run[Model]:
    """The run that a user who names nothing gets; a system's config may bring its own DATA and TRAIN."""
    data, train = getattr(config, "DATA", None), getattr(config, "TRAIN", None)
    return Run(system=system, data=data or DataConfig(), model=config(), train=train or TrainConfig())


def override(run: Run[Model], tables: Mapping[str, Mapping[str, Any]], where: Callable[[str, str], str]) -> Run[Model]:
    """`run` with the given values of its tables (`{"train": {"epochs": 3}}`) in place of its own.

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


def to_dict(run: Run[Any]) -> dict[str, Any]:
    """A run as plain dicts, lists, strings, numbers and None: what JSON holds."""
    return cast(dict[str, Any], _plain(dataclasses.asdict(cast(Any, run))))


def from_dict(data: Mapping[str, Any], config: type[Model], source: str = "run.json") -> Run[Model]:
    """The run that `to_dict` wrote; `source` names it in errors.

    Raises:
        InputError: as `override`; or a table that is missing or no table.
    """
    for key in ("system", *TABLES):
        if not isinstance(data.get(key), str if key == "system" else Mapping):
            kind = "a name" if key == "system" else "a table"
            raise InputError(f"{kind} {key!r} in {source}", shown(data.get(key)), "give the file as it was written")
    tables = {key: value for key, value in data.items() if key != "system"}
    return override(default_run(data["system"], config), tables, lambda table, key: f"{source}: {table}.{key}")


def differences(old: Run[Any], new: Run[Any]) -> list[str]:
    """What makes two runs different ("train.epochs: 12, now 20"), circumstances aside."""
    before, after = _flat(old), _flat(new)
    keys = [key for key in {**before, **after} if key not in CIRCUMSTANCES]
    return [
        f"{key}: {before.get(key, 'absent')!r}, now {after.get(key, 'absent')!r}"
        for key in keys
        if before.get(key, "absent") != after.get(key, "absent")
    ]


def _flat(run: Run[Any]) -> dict[str, Any]:
    tables = to_dict(run)
    named = {f"{table}.{key}": value for table in TABLES for key, value in tables[table].items()}
    return {"system": run.system, **named}


def _replace(config: Any, values: Any, where: Callable[[str], str]) -> Any:
    """A config dataclass with some values replaced, checked by pydantic, its complaint said in one line."""
    if not isinstance(values, Mapping):
        found = f"{shown(values)} in {where('')}"
        raise InputError("a table of settings", found, "write `[table]` and its keys under it")
    known = [field.name for field in dataclasses.fields(config)]
    for key in values:
        if key not in known:
            raise InputError(f"a known key ({', '.join(known)})", where(key), _suggest(key, known))
    try:
        return dataclasses.replace(config, **{key: _tuples(value) for key, value in values.items()})
    except ValidationError as error:
        raise _complaint(error, values, where) from None


def _complaint(error: ValidationError, values: Mapping[str, Any], where: Callable[[str], str]) -> InputError:
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


def _tuples(value: Any) -> Any:
    """TOML and JSON write lists; configs hold tuples, which cannot change."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
