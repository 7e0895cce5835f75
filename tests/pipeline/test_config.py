"""Config dataclasses: checks, round trips through JSON and TOML, rows, and errors that say what was meant."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from pydantic.dataclasses import dataclass

from saccade.errors import InputError
from saccade.images.config import ImageData
from saccade.pipeline.config import (
    STRICT,
    Run,
    TrainConfig,
    default_run,
    differences,
    from_dict,
    override,
    route,
    to_dict,
)
from saccade.pipeline.systems import Metric, NoFacts, Spec
from saccade.pipeline.toml_config import read_facts, read_run, write_run


@dataclass(frozen=True, config=STRICT)
class Toy:
    """A system's config with a field of every kind."""

    glimpses: int = Field(default=6, ge=1)
    """How many."""
    std: float = Field(default=0.15, gt=0)
    """How wide."""
    core: Literal["rnn", "lstm"] = "rnn"
    """Which."""
    bias: bool = True
    """Whether."""
    scan: tuple[float, ...] = (0.0, 0.5)
    """Where."""
    name: str | None = None
    """Who."""


SPEC = Spec(config=Toy, data=ImageData(), facts=NoFacts, metrics=(Metric("loss", "measured"),))
RUN = default_run("toy", SPEC)


def where(table: str, key: str) -> str:
    return f"[{table}] {key}"


toys = st.builds(
    Toy,
    glimpses=st.integers(1, 99),
    std=st.floats(1e-6, 9),
    core=st.sampled_from(["rnn", "lstm"]),
    bias=st.booleans(),
    scan=st.lists(st.floats(-1, 1)).map(tuple),
    name=st.none() | st.text(),
)
trains = st.builds(
    TrainConfig,
    epochs=st.integers(1, 1000),
    learning_rate=st.floats(1e-9, 1),
    warmup=st.floats(0, 0.99),
    precision=st.sampled_from(["auto", "fp32", "bf16"]),
    seed=st.integers(0, 10**12),
)
datas = st.builds(
    ImageData,
    dataset=st.sampled_from(["digits", "mnist", "folder:/data/my faces"]),
    data_dir=st.none() | st.text(),
    canvas=st.integers(28, 200),
)
runs = st.builds(Run, system=st.just("toy"), data=datas, model=toys, train=trains)


@given(runs)
def test_json_round_trip(run: Run[ImageData, Toy]) -> None:
    assert from_dict(json.loads(json.dumps(to_dict(run))), SPEC) == run


@given(run=runs)
def test_toml_round_trip(run: Run[ImageData, Toy], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("toml") / "run.toml"
    path.write_text(write_run(run), encoding="utf-8")
    assert read_run(path, "toy", SPEC) == run


def test_every_field_has_a_default_and_a_docstring() -> None:
    for config in (ImageData, Toy, TrainConfig):
        for name, field in config.__pydantic_fields__.items():  # pyright: ignore[reportAttributeAccessIssue]
            assert field.description, f"{config.__name__}.{name} has no docstring"
            assert not field.is_required(), f"{config.__name__}.{name} has no default"


def test_settings_go_to_the_table_that_has_them() -> None:
    made = route(RUN, {"glimpses": 3, "epochs": 2, "dataset": "mnist", "scan": [1]})
    assert (made.model.glimpses, made.model.scan, made.train.epochs, made.data.dataset) == (3, (1.0,), 2, "mnist")
    assert route(RUN, {}) == RUN
    for settings, says in [
        ({"glimses": 3}, "expected a setting of toy, found 'glimses'; did you mean glimpses?"),
        ({"glimpses": 0}, "expected a value greater than or equal to 1, found 0 for glimpses"),
        ({"epochs": "2"}, "expected a valid integer, found '2' for epochs"),
    ]:
        with pytest.raises(InputError) as error:
            route(RUN, settings)
        assert says in str(error.value)


def test_configs_do_not_change() -> None:
    with pytest.raises(AttributeError):
        RUN.train.epochs = 3  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"model": {"glimpses": 0}}, "expected a value greater than or equal to 1, found 0 for [model] glimpses"),
        ({"model": {"glimpses": 3.0}}, "expected a valid integer, found 3.0 for [model] glimpses"),
        ({"model": {"glimpses": True}}, "expected a valid integer, found True for [model] glimpses"),
        ({"model": {"glimpses": "3"}}, "expected a valid integer, found '3' for [model] glimpses"),
        ({"model": {"std": float("nan")}}, "expected a finite number, found nan for [model] std"),
        ({"model": {"core": "gru"}}, "expected 'rnn' or 'lstm', found 'gru' for [model] core"),
        ({"model": {"scan": [1, "a"]}}, "expected a valid number, found 'a' for [model] scan"),
        ({"model": {"glimpse": 3}}, "found [model] glimpse; did you mean glimpses?"),
        ({"model": {"zzz": 3}}, "found [model] zzz; name one of these"),
        ({"model": 3}, "expected a table"),
        ({"modle": {}}, "did you mean model?"),
        ({"train": {"warmup": 1.0}}, "expected a value less than 1, found 1.0 for [train] warmup"),
        ({"data": {"dataset": "minst"}}, "found 'minst' for [data] dataset"),
        ({"data": {"dataset": "folder:"}}, "found 'folder:' for [data] dataset"),
    ],
)
def test_what_does_not_fit_is_named(tables: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as error:
        override(RUN, tables, where)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_override_keeps_the_rest() -> None:
    changed = override(RUN, {"model": {"glimpses": 3, "scan": [1]}, "train": {"learning_rate": 1}}, where)
    assert (changed.model.glimpses, changed.model.scan, changed.train.learning_rate) == (3, (1.0,), 1.0)
    assert changed.model.std == RUN.model.std
    assert changed.data == RUN.data


@pytest.mark.parametrize(
    "data", [{}, {"system": "toy"}, {**to_dict(RUN), "train": 3}, {**to_dict(RUN), "system": None}]
)
def test_from_dict_refuses_what_to_dict_never_wrote(data: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"in run\.json"):
        from_dict(data, SPEC)


def test_differences_name_the_keys_and_pass_over_circumstances() -> None:
    other = override(RUN, {"model": {"glimpses": 7}, "train": {"seed": 1, "threads": 2, "keep": 5}}, where)
    other = override(other, {"data": {"data_dir": "/elsewhere"}}, where)
    assert differences(RUN, RUN) == []
    assert differences(RUN, other) == ["model.glimpses: 6, now 7", "train.seed: 0, now 1"]


ROWS = """
[data]
dataset = "mnist"
[model]
glimpses = 4
[train]
epochs = 3
[rows.7-glimpses]
paper_error_percent = 1.07
[rows.7-glimpses.model]
glimpses = 7
[rows.fc]
system = "other"
paper_error_percent = 1.69
[rows.fc.model]
name = "fc"
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.toml"
    path.write_text(ROWS)
    return path


def test_a_row_begins_with_the_files_own_tables(table: Path) -> None:
    run = read_run(table, "toy", SPEC, "7-glimpses")
    assert (run.model.glimpses, run.data.dataset, run.train.epochs) == (7, "mnist", 3)


def test_a_row_of_another_system_does_not_inherit_the_model(table: Path) -> None:
    run = read_run(table, "other", SPEC, "fc")
    assert (run.system, run.model.name, run.model.glimpses, run.train.epochs) == ("other", "fc", 6, 3)


def test_the_papers_numbers_are_facts(table: Path) -> None:
    assert read_facts(table) == {
        "7-glimpses": {"paper_error_percent": 1.07},
        "fc": {"system": "other", "paper_error_percent": 1.69},
    }


@pytest.mark.parametrize(
    ("system", "row", "says"),
    [
        ("toy", None, "add --row with one of 7-glimpses, fc"),
        ("toy", "7-glimpse", "did you mean 7-glimpses?"),
        ("toy", "zzz", "name one of 7-glimpses, fc"),
        ("toy", "fc", "use `saccade other`"),
        ("other", "7-glimpses", ""),
    ],
)
def test_which_rows_a_file_has(table: Path, system: str, row: str | None, says: str) -> None:
    if not says:
        read_run(table, system, SPEC, row)  # a file that names no system is anyone's
        return
    with pytest.raises(InputError) as error:
        read_run(table, system, SPEC, row)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[model]\nglimpses = 0", "found 0 for FILE: [model] glimpses; change the value"),
        ("[model]\nglimses = 3", "found FILE: [model] glimses; did you mean glimpses?"),
        ("[modle]\nglimpses = 3", "found FILE: modle; did you mean model?"),
        ("model = 3", "expected a table, found FILE: model = 3"),
        ("epochs = 3", "found FILE: epochs; remove it"),
        ("[model]\nglimpses = ", "expected TOML in FILE, found Invalid value (at "),
        ("[rows.a.modle]\nx = 1", "did you mean model?"),
        ("rows = 3", "expected a table [rows.NAME] for every row of FILE, found rows = 3"),
        ("[rows]\na = 3", "expected a table [rows.NAME]"),
        ("[rows.a.model]\nstd = -1", "found -1 for FILE: [rows.a.model] std"),
        ("system = 'other'", "expected a run of the system toy, found 'other' in FILE; use `saccade other`"),
        ("system = 3", "expected a run of the system toy, found 3"),
    ],
)
def test_toml_that_does_not_fit_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_run(path, "toy", SPEC, "a" if text.startswith(("rows", "[rows")) else None)
    assert says.replace("FILE", str(path)) in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_no_toml_files(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for path, says in [("none.toml", "no file"), (".", "the folder"), ("binary.toml", "no UTF-8")]:
        with pytest.raises(InputError, match=says):
            read_run(tmp_path / path, "toy", SPEC)


def test_input_error_is_one_line() -> None:
    assert str(InputError("a\nb", "c", "do d")) == "expected a b, found c; do d"
