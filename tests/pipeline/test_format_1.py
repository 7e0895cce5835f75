"""Runs that an earlier Saccade wrote, with run.json of format 1, and shipped networks: opened, measured, resumed.

tests/fixtures/format_1 has a tiny RAM and a tiny DRAW as commit dd67958 wrote them (`saccade SYSTEM train ... --eval`),
and outputs.safetensors: what the shipped networks gave there.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors
import torch
from torch import Tensor
from typer.testing import CliRunner

import saccade
from saccade.cli import app
from saccade.draw.painter import Painter
from saccade.errors import InputError
from saccade.glimpse.reader import Reader
from saccade.images.config import ImageData, ImageFacts
from saccade.images.source import load_images
from saccade.pipeline.checkpoint.checkpoints import newest
from saccade.pipeline.checkpoint.locate import NETWORKS, shipped_names
from saccade.pipeline.checkpoint.run_folder import open_run, read_record
from saccade.pipeline.trained import open_trained
from saccade.recurrent.tree import take

WRITTEN = Path(__file__).parents[1] / "fixtures" / "format_1"
DIGITS = ImageFacts(1, 28, 28, tuple("0123456789"))
CASES = [("ram", "glimpse", Reader), ("draw", "draw", Painter)]


def machine() -> str:
    """Return what a result's last digits depend on: torch, and the kind of processor."""
    cpu = torch.cpu.get_capabilities().get("cpu_name")
    return f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {cpu}"


@pytest.fixture(scope="module")
def outputs() -> Iterator[Any]:
    """Outputs of the shipped networks in commit dd67958; `ram-mnist`: since it was trained on distorted digits."""
    with safetensors.safe_open(WRITTEN / "outputs.safetensors", "pt") as file:
        yield file


def assert_as_before(found: Tensor, outputs: Any, name: str) -> None:
    """Bit for bit on the kind of machine that wrote them; elsewhere as near as rounding lets them be."""
    expected = outputs.get_tensor(name)
    assert found.dtype == expected.dtype and found.shape == expected.shape, name
    if outputs.metadata()["machine"] == machine():
        assert torch.equal(found, expected), name
    else:
        assert torch.allclose(found, expected, rtol=0, atol=1e-3), name


@pytest.fixture(params=CASES, ids=[name for name, *_ in CASES])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str, type]:
    """A copy of a run folder, its system, and the class of its network."""
    name, system, kind = request.param
    return Path(shutil.copytree(WRITTEN / name, tmp_path / name)), system, kind


def command(folder: Path) -> list[str]:
    """The command that made the run, with another --out."""
    words = json.loads((folder / "run.json").read_text())["facts"]["command"][1:]
    words[words.index("--out") + 1] = str(folder)
    return [word for word in words if word != "--eval"]


def run(*words: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(map(str, words)), prog_name="saccade", catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_fixtures_are_small_and_of_format_1() -> None:
    for name, *_ in CASES:
        assert sum(map(len, contents(WRITTEN / name).values())) < 200_000
        assert json.loads((WRITTEN / name / "run.json").read_text())["format"] == 1


def test_a_run_opens_with_its_facts_and_its_provenance(case: tuple[Path, str, type]) -> None:
    folder, system, kind = case
    text = json.loads((folder / "run.json").read_text())
    opened = open_run(folder)
    assert (opened.run.system, opened.facts, opened.provenance) == (system, DIGITS, text["facts"])
    assert opened.provenance["versions"]["saccade"] == "0.1.0" and len(str(opened.provenance["git_commit"])) == 40
    record = read_record(folder)
    assert (record["format"], record["facts"]["classes"], record["provenance"]) == (
        2,
        list("0123456789"),
        text["facts"],
    )
    assert {table: record[table] for table in ("data", "model", "train")} == {
        table: text[table] for table in ("data", "model", "train")
    }
    network = open_trained(folder, system)
    assert type(network) is kind and network.step == network.run.train.epochs * 10
    assert json.loads((folder / "run.json").read_text()) == text, "opening writes nothing"


def test_it_is_measured_as_before(case: tuple[Path, str, type], outputs: Any) -> None:
    folder, system, _ = case
    before = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").unlink()
    assert run(system, "eval", folder)[0] == 0
    found = json.loads((folder / "metrics.json").read_text())
    assert list(found) == list(before)
    if outputs.metadata()["machine"] == machine():
        assert found == before, "digit for digit"
    else:
        assert flat(found) == pytest.approx(flat(before), rel=1e-4)


def flat(data: Any, name: str = "") -> dict[str, Any]:
    """Return nested metrics as one dict."""
    if not isinstance(data, dict | list):
        return {name: data}
    items = data.items() if isinstance(data, dict) else enumerate(data)
    return {key: value for part, item in items for key, value in flat(item, f"{name}.{part}").items()}


def test_training_it_again_finds_it_finished(case: tuple[Path, str, type]) -> None:
    folder, _, _ = case
    before = contents(folder)
    code, _, said = run(*command(folder))
    assert code == 0 and "is finished already" in said
    assert contents(folder) == before


def test_other_settings_or_data_are_refused(case: tuple[Path, str, type]) -> None:
    folder, _, _ = case
    before = contents(folder)
    code, _, said = run(*command(folder), "--epochs", "77")
    assert code == 2 and "now 77" in said and said.count("\n") == 1
    text = json.loads((folder / "run.json").read_text())
    text["classes"][3] = "three"
    (folder / "run.json").write_text(json.dumps(text))
    code, _, said = run(*command(folder))
    assert code == 2 and "the data's classes" in said and said.count("\n") == 1
    assert contents(folder).keys() == before.keys()


def test_an_interrupted_one_goes_on(case: tuple[Path, str, type], tmp_path: Path, outputs: Any) -> None:
    """As if the old Saccade had been stopped just before its end: the new one comes to the same weights."""
    folder, system, _ = case
    whole = newest(folder)
    assert whole is not None
    again = tmp_path / "again"
    words = command(folder)
    words[words.index("--out") + 1] = str(again)
    assert run(*words, "--save-every-seconds", "1e-4", "--keep", "1000")[0] == 0
    half = whole.step // 2
    for file in folder.glob("checkpoint-*"):
        file.unlink()
    shutil.copy(again / f"checkpoint-{half}.safetensors", folder)
    code, _, said = run(*command(folder))
    assert code == 0 and f"step {half}" in said
    assert json.loads((folder / "run.json").read_text())["format"] == 1, "the folder stays what it is"
    resumed = newest(folder)
    assert resumed is not None and resumed.step == whole.step and resumed.tensors.keys() == whole.tensors.keys()
    for name, tensor in whole.tensors.items():
        if outputs.metadata()["machine"] == machine():
            assert torch.equal(resumed.tensors[name], tensor), name
        else:
            assert torch.allclose(resumed.tensors[name], tensor, rtol=1e-2, atol=1e-3), name
    assert run(system, "eval", folder)[0] == 0


def test_fresh_starts_again_in_the_new_format(case: tuple[Path, str, type]) -> None:
    folder, _, _ = case
    assert run(*command(folder), "--fresh", "--epochs", "1")[0] == 0
    text = json.loads((folder / "run.json").read_text())
    assert (text["format"], text["train"]["epochs"], text["facts"]["classes"]) == (2, 1, list("0123456789"))


def test_they_start_another_training_and_are_shown(case: tuple[Path, str, type], tmp_path: Path) -> None:
    folder, system, _ = case
    words = command(folder)
    words[words.index("--out") + 1] = str(tmp_path / "more")
    assert run(*words, "--start-from", folder, "--learning-rate", "1e-12")[0] == 0
    one, other = newest(folder), newest(tmp_path / "more")
    assert one is not None and other is not None
    # DRAW trains on from the average that it kept
    prefix = "ema/" if any(name.startswith("ema/") for name in one.tensors) else "model/"
    for name, tensor in one.tensors.items():
        if name.startswith(prefix):
            assert torch.allclose(other.tensors["model/" + name.removeprefix(prefix)], tensor, atol=1e-6)
    assert run(system, "gif", folder, "--out", tmp_path / "film.gif")[0] == 0
    assert (tmp_path / "film.gif").read_bytes().startswith(b"GIF89a")


def row(name: str, system: str) -> str:
    """A row of a TOML file with the settings of a run."""
    run, text = json.loads((WRITTEN / name / "run.json").read_text()), f'[rows.{name}]\nsystem = "{system}"\n'
    for table in ("data", "model", "train"):
        kept = (f"{key} = {json.dumps(value)}\n" for key, value in run[table].items() if value is not None)
        text += f"[rows.{name}.{table}]\n" + "".join(kept)
    return text


def test_their_records_stand_in_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, _, _ in CASES:
        shutil.copytree(WRITTEN / name, Path("runs", f"{name}-seed-0"))
    Path("old.toml").write_text("".join(row(name, system) for name, system, _ in CASES))
    for again in (False, True):  # the second time from the table's own JSON
        code, out, said = run("reproduce", "old.toml", "--collect", "--out", "runs", "--results", "tables", "--json")
        assert code == 0, said
        assert json.loads(out)["left_out"] == []
        found = json.loads(Path("tables/old.json").read_text())
        for name, _, _ in CASES:
            metrics = json.loads((WRITTEN / name / "metrics.json").read_text())
            line = next(line for line in found["lines"] if line["row"] == name)
            headline = metrics.get("bound_nats") or metrics["error_percent"]["mean_policy"]
            assert (line["departures"], line["seeds"]) == ([], [0])
            assert next(iter(line["measured"].values()))["each"] == [headline]
            record = next(record for record in found["runs"] if record["row"] == name)
            assert record["metrics"] == metrics and record["provenance"]["git_commit"].startswith("dd67958")
            assert f"| {headline:.2f} |" in Path("tables/old.md").read_text()
        if not again:
            shutil.rmtree("runs")


def test_a_tables_records_of_format_1_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that the old Saccade wrote holds records with shape and classes."""
    monkeypatch.chdir(tmp_path)
    record = json.loads((WRITTEN / "ram" / "run.json").read_text())
    metrics = json.loads((WRITTEN / "ram" / "metrics.json").read_text())
    record |= {"row": "ram", "metrics": metrics, "train_seconds": 60.0, "curve": "curves/old.jsonl"}
    Path("old.json").write_text(json.dumps({"format": 1, "experiment": "old", "lines": [], "runs": [record]}))
    Path("old.toml").write_text(row("ram", "glimpse"))
    Path("none").mkdir()
    assert run("reproduce", "old.toml", "--collect", "--out", "none", "--results", ".")[0] == 0
    found = json.loads(Path("old.json").read_text())
    assert found["lines"][0]["measured"]["error_percent"]["each"] == [metrics["error_percent"]["mean_policy"]]
    assert (found["runs"][0]["format"], found["runs"][0]["facts"]["height"]) == (2, 28)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 0}, "format 1 or 2 in .*run.json, found 0"),
        ({"shape": {"channels": 1, "height": 28, "width": 28}}, "a shape and its classes in"),
        ({"shape": {"channels": 1, "height": 28, "width": 28, "classes": 9}}, "a shape and its classes in"),
        ({"shape": {"channels": 1, "height": 28, "width": 28, "classes": 10, "depth": 1}}, "as the facts in"),
        ({"shape": {"channels": 1, "height": 28, "classes": 10}}, "as the facts in"),
        ({"shape": {"channels": 1, "height": 0, "width": 28, "classes": 10}}, "found 0 for .*facts.height"),
        ({"shape": {"channels": 1, "height": 1 << 40, "width": 28, "classes": 10}}, "facts.height"),
        ({"shape": {"channels": "1", "height": 28, "width": 28, "classes": 10}}, "facts.channels"),
        ({"shape": [1, 28, 28, 10]}, "a shape and its classes in"),
        ({"shape": None}, "a shape and its classes in"),
        ({"classes": list("012345678")}, "a shape and its classes in"),
        ({"classes": [*"012345678", 9]}, "facts.classes"),
        ({"classes": [*"012345678", "9\n"]}, "facts.classes"),
        ({"classes": "0123456789"}, "a shape and its classes in"),
        ({"classes": None}, "a shape and its classes in"),
        ({"facts": "none"}, "a table of provenance"),
        ({"surprise": 1}, "unknown key 'surprise'"),
        ({"provenance": {}}, "provenance"),
        ({"model": {"wings": 2}}, "wings"),
        ({"train": []}, "train"),
        ({"system": "nothing"}, "found 'nothing'"),
    ],
)
def test_a_damaged_one_is_refused_in_one_line(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    folder = Path(shutil.copytree(WRITTEN / "ram", tmp_path / "ram"))
    text = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(text | changes))
    with pytest.raises(InputError, match=says) as error:
        open_run(folder)
    assert "\n" not in str(error.value) and str(error.value).startswith("expected ")
    code, out, said = run("glimpse", "eval", folder)
    assert (code, out) == (2, "") and said.count("\n") == 1


@pytest.mark.parametrize("key", ["format", "system", "data", "model", "train", "shape", "classes", "facts"])
def test_one_without_a_key_is_refused(tmp_path: Path, key: str) -> None:
    folder = Path(shutil.copytree(WRITTEN / "ram", tmp_path / "ram"))
    text = json.loads((folder / "run.json").read_text())
    del text[key]
    (folder / "run.json").write_text(json.dumps(text))
    with pytest.raises(InputError, match="format 1 or 2" if key == "format" else f"no '{key}'") as error:
        open_run(folder)
    assert "\n" not in str(error.value)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(WRITTEN / "ram", tmp_path / "ram"))
    whole = (folder / "run.json").read_bytes().rstrip()
    for length in range(0, len(whole), 41):
        (folder / "run.json").write_bytes(whole[:length])
        with pytest.raises(InputError):
            open_run(folder)
    (folder / "run.json").write_bytes(whole)
    (file,) = folder.glob("checkpoint-*")
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(InputError, match="a whole checkpoint"):
        open_trained(folder)


def test_every_shipped_network_loads_and_its_outputs_are_frozen(outputs: Any) -> None:
    frozen = {name.partition("/")[0] for name in outputs.keys()}  # noqa: SIM118
    assert len(frozen) >= 4 and frozen <= set(shipped_names())
    for name in frozen:
        assert json.loads((NETWORKS / name / "run.json").read_text())["format"] in (1, 2)
        network = saccade.load(name)
        assert network.step == open_run(name).provenance.get("steps")
        assert network.facts.shape[:2] == (1, network.facts.height)


@pytest.mark.parametrize(
    ("name", "dataset"), [("ram-mnist", "digits"), ("ram-mnist", "mnist"), ("ram-cluttered", "cluttered")]
)
def test_shipped_readers_answer_as_before(
    name: str, dataset: str, outputs: Any, request: pytest.FixtureRequest
) -> None:
    network = saccade.load(name)
    if dataset == "digits":
        source = load_images(ImageData("digits"), 0)
    else:
        source = network.source(str(request.getfixturevalue("mnist")))
    seen = network.look(take(source.held_out("test"), slice(0, 16)))
    assert_as_before(seen.outputs.logits[-1].softmax(1), outputs, f"{name}/{dataset}/probabilities")
    assert_as_before(seen.outputs.location.transpose(0, 1), outputs, f"{name}/{dataset}/locations")


@pytest.mark.parametrize("name", ["draw-mnist", "draw-mnist-labelled"])
def test_shipped_painters_draw_as_before(name: str, outputs: Any) -> None:
    painter = saccade.load(name)
    assert isinstance(painter, Painter)
    seeds = torch.cat([painter.generate(1, seed).images for seed in range(4)])
    assert_as_before(seeds, outputs, f"{name}/seeds")
    assert_as_before(painter.generate(4).images, outputs, f"{name}/sheet")


def test_no_old_module_is_needed_to_read_them() -> None:
    assert not {"recurrent", "models"} & {name for name in sys.modules if "." not in name}
