"""Options come from the config dataclasses, and TOML and the command line write the same config."""

import re
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import tomli_w
import typer
from pydantic import Field
from pydantic.dataclasses import dataclass
from typer.testing import CliRunner

import saccade
from saccade.pipeline import systems
from saccade.pipeline.config import STRICT, default_run
from saccade.pipeline.toml_config import read_facts
from saccade.terminal.options import flag, with_options

VERBS = {
    "glimpse": {"train", "eval", "gif", "read"},
    "draw": {"train", "eval", "generate", "gif", "complete"},
    "baseline": {"train", "eval", "gif"},
    "adding": {"train", "eval", "gif"},
    "translate": {"train", "eval", "gif", "write"},
    "track": {"train", "eval", "gif", "follow"},
    "dram": {"train", "eval", "gif", "read"},
    "sketch": {"train", "eval", "generate", "gif", "complete", "interpolate", "read"},
    "caption": {"train", "eval", "gif", "write"},
    "video": {"train", "eval", "gif", "read"},
}


def tables(system: str) -> dict[str, Any]:
    """The settings of a system by table, with their defaults."""
    run = default_run(system, systems.spec(system))
    return {"data": run.data, "model": run.model, "train": run.train}


NAMED: dict[str, dict[str, str]] = {
    "CaptionData": {
        "dataset": "flickr8k",
        "encoder": "efficientnet-lite0",
        "encoder_weights": "some.pth",
        "features_dir": "/some/where",
    },
    "SequenceData": {"dataset": "pairs"},
    "SketchData": {"dataset": "pendigits"},
    "TrackData": {"dataset": "balls"},
    "TranslateData": {"dataset": "lines:somewhere", "from_": "fr", "to": "fr"},
    "VideoData": {"dataset": "npy:clips.npy"},
}
"""Valid values, by the class of the settings."""

BOUND = {("sketch", "model", "dropout"), ("video", "data", "mixup")}
"""Settings whose other values need another setting to change too."""


def another(config: Any, name: str) -> Any:
    """A valid value of a field that is not its default."""
    named = {"dataset": "mnist", "data_dir": "/some/where", "start_from": "/some/run", "binarise": "dynamic"}
    named |= NAMED.get(type(config).__name__, {})
    if name in named:
        return named[name]
    field, usual = config.__pydantic_fields__[name], getattr(config, name)
    if get_origin(field.annotation) is Literal:
        return next(choice for choice in get_args(field.annotation) if choice != usual)
    if field.annotation is bool:
        return not usual
    for value in (usual + 1, usual + 2, usual * 0.5 + 0.03, usual - 0.5, usual - 1):
        if value == usual:
            continue
        try:
            replace(config, **{name: value})
        except ValueError:
            continue
        return value
    raise AssertionError(f"no other value for {name}")


FIELDS = [
    (system, table, field.name)
    for system in systems.names()
    for table, config in tables(system).items()
    for field in fields(config)
    if (system, table, field.name) not in BOUND
]


@pytest.mark.parametrize(("system", "table", "name"), FIELDS, ids=["-".join(field) for field in FIELDS])
def test_toml_and_command_line_write_the_same_run(
    saccade: Any, tmp_path: Path, system: str, table: str, name: str
) -> None:
    value = another(tables(system)[table], name)
    typed = [flag(name), str(value)]
    if isinstance(value, bool):
        typed = [flag(name) if value else f"--no-{flag(name)[2:]}"]
    file = tmp_path / "run.toml"
    file.write_text(tomli_w.dumps({table: {name: value}}))
    by_options = saccade(system, "train", *typed, "--show-config", "--json").json()
    by_file = saccade(system, "train", "--config", file, "--show-config", "--json").json()
    plain = saccade(system, "train", "--show-config", "--json").json()
    assert by_options == by_file
    assert by_options[table].pop(name) == value
    assert plain[table].pop(name) != value
    assert by_options == plain


def test_options_override_the_file(saccade: Any, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("[model]\nglimpses = 4\npatch = 6\n")
    default = str(systems.spec("glimpse").config().glimpses)
    shown = saccade("glimpse", "train", "--config", file, "--glimpses", default, "--show-config", "--json").json()
    assert (shown["model"]["glimpses"], shown["model"]["patch"]) == (int(default), 6)


def test_show_config_writes_toml_that_reads_back(saccade: Any, tmp_path: Path) -> None:
    words = ["glimpse", "train", "--glimpses", "7", "--learning-rate", "0.002", "--dataset", "mnist"]
    shown = saccade(*words, "--show-config").out
    assert tomllib.loads(shown)["model"]["glimpses"] == 7
    file = tmp_path / "run.toml"
    file.write_text(shown)
    again = saccade("glimpse", "train", "--config", file, "--show-config", "--json").json()
    assert again == saccade(*words, "--show-config", "--json").json()


def test_a_row_chooses(saccade: Any, refused: Any, tmp_path: Path) -> None:
    file = tmp_path / "table.toml"
    file.write_text("[rows.7-glimpses]\npaper_error_percent = 1.07\n[rows.7-glimpses.model]\nglimpses = 7\n")
    shown = saccade("glimpse", "train", "--config", file, "--row", "7-glimpses", "--show-config", "--json").json()
    assert shown["model"]["glimpses"] == 7
    assert "did you mean 7-glimpses?" in refused("glimpse", "train", "--config", file, "--row", "7-glimpse")
    assert "add --row with one of 7-glimpses" in refused("glimpse", "train", "--config", file)
    assert "name the TOML file" in refused("glimpse", "train", "--row", "7-glimpses")


@dataclass(frozen=True, config=STRICT)
class Future:
    """A config that some later system might have."""

    strokes: int = Field(default=3, ge=2, le=9)
    """How many strokes of
    the brush."""
    mirror: bool = False
    """Whether left is right."""
    ink: Literal["blue", "black"] = "blue"
    """Which ink."""


def test_adding_a_field_adds_the_option_and_its_help() -> None:
    seen: dict[str, Any] = {}

    def command(ctx: typer.Context, *, given: dict[str, dict[str, Any]]) -> None:
        seen.update(given)

    app = typer.Typer()
    app.command()(with_options(command, {"model": Future}))
    text = " ".join(re.sub("[│╭╰─]", " ", CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output).split())
    for part in ("--strokes", "How many strokes of the brush. (at least 2, at most 9)", "[default: 3]"):
        assert part in text
    for part in ("--mirror", "--no-mirror", "Whether left is right.", "blue|black"):
        assert part in text
    assert CliRunner().invoke(app, ["--strokes", "4", "--mirror"]).exit_code == 0
    assert seen == {"model": {"strokes": 4, "mirror": True}}


@pytest.mark.parametrize("system", systems.names())
def test_help_names_every_setting(saccade: Any, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    text = saccade(system, "train", "--help").out
    for config in tables(system).values():
        for field in fields(config):
            assert flag(field.name) in text


def test_every_system_has_its_verbs_and_every_verb_has_json(saccade: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    assert VERBS.keys() == set(systems.names())
    for system, verbs in VERBS.items():
        shown = saccade(system, "--help").out
        known = sorted(set().union(*VERBS.values()))
        assert {verb for verb in known if f"│ {verb} " in shown} == verbs
        for verb in verbs:
            assert "--json" in saccade(system, verb, "--help").out


ROWS = [
    (path, row, facts.get("system"))
    for path in sorted((Path(saccade.__file__).parents[1] / "experiments").glob("*.toml"))
    for row, facts in read_facts(path).items()
]


@pytest.mark.parametrize(("path", "row", "system"), ROWS, ids=[f"{path.stem}-{row}" for path, row, _ in ROWS])
def test_every_row_of_every_experiment_is_a_run(saccade: Any, path: Path, row: str, system: str) -> None:
    answer = saccade(system, "train", "--config", path, "--row", row, "--show-config", "--json")
    assert answer.code == 0, answer.err
    assert answer.json()["system"] == system
