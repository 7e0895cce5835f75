"""`saccade reproduce`: what is missing is trained, what is there is kept, one failure stops nothing else."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from saccade.pipeline import systems
from saccade.pipeline.checkpoint import checkpoints as checkpoint
from saccade.pipeline.checkpoint.atomic_files import lock
from saccade.pipeline.train import loop as train

TABLE = """
system = "glimpse"
[model]
hidden = 16
features = 16
[train]
epochs = 1
batch_size = 256
threads = 1
[rows.2-glimpses]
paper_error_percent = 3.79
[rows.2-glimpses.model]
glimpses = 2
[rows.longer]
after = "2-glimpses"
[rows.longer.model]
glimpses = 2
[rows.longer.train]
epochs = 2
learning_rate = 1e-9
[rows.fc]
system = "baseline"
paper_error_percent = 1.69
[rows.fc.model]
kind = "fc"
hidden = 16
"""


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the locks, with its bytes."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with a table of three tiny rows."""
    (tmp_path / "tiny.toml").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def statuses(answer: Any) -> dict[tuple[str, int], str]:
    return {(run["row"], run["seed"]): run["status"] for run in answer.json()["runs"]}


def lines_of(table: Path, row: str) -> list[dict[str, Any]]:
    return [line for line in json.loads(table.read_text())["lines"] if line["row"] == row]


def test_a_table_is_trained_measured_and_written(saccade: Any, place: Path) -> None:
    answer = saccade("reproduce", "tiny.toml", "--seeds", "0,3")
    assert answer.code == 0, answer.err
    for row in ("2-glimpses", "longer", "fc"):
        for seed in (0, 3):
            assert f"{row}, seed {seed}: trained\n" in answer.err
    out = place / "runs" / "tiny"
    assert f"wrote {Path('runs/tiny/tiny.md')}" in answer.out
    table = json.loads((out / "tiny.json").read_text())
    lines = {line["row"]: line for line in table["lines"]}
    assert list(lines) == ["2-glimpses", "longer", "fc"]
    for row, key in (("2-glimpses", "mean_policy"), ("fc", "one_look")):
        files = [out / f"{row}-seed-{seed}" / "metrics.json" for seed in (0, 3)]
        each = [json.loads(file.read_text())["error_percent"][key] for file in files]
        assert lines[row]["measured"]["error_percent"]["each"] == each
        assert lines[row]["measured"]["error_percent"]["mean"] == pytest.approx(sum(each) / 2)
        assert (lines[row]["seeds"], lines[row]["departures"]) == ([0, 3], [])
        text = (out / "tiny.md").read_text()
        assert f"{sum(each) / 2:.2f} ({min(each):.2f} to {max(each):.2f})" in text
    assert lines["fc"]["paper"] == {"error_percent": 1.69}
    assert "`saccade reproduce tiny.toml --rows fc --seeds 0,3`" in text
    file = next(record["curve"] for record in table["runs"] if record["row"] == "fc")
    assert json.loads((out / file).read_text().splitlines()[-1])["epoch"] == 1
    seeds = [json.loads((out / f"fc-seed-{s}" / "run.json").read_text())["train"]["seed"] for s in (0, 3)]
    assert seeds == [0, 3]
    before, after = (checkpoint.newest(out / f"{row}-seed-3") for row in ("2-glimpses", "longer"))
    assert before is not None and after is not None
    assert all(abs(after.tensors[k] - t).max() < 1e-6 for k, t in before.tensors.items() if k.startswith("model/"))

    was = contents(out)  # and once more: nothing is trained, the tables come out equal
    again = saccade("reproduce", "tiny.toml", "--seeds", "0,3", "--json")
    assert set(statuses(again).values()) == {"finished"}
    assert contents(out) == was


def test_an_interrupted_run_goes_on(saccade: Any, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["reproduce", "tiny.toml", "--rows", "longer", "--seeds", "0"]
    text = (place / "tiny.toml").read_text()
    (place / "tiny.toml").write_text(text.replace("threads = 1", "threads = 1\nsave_every_seconds = 1e-3"))
    whole, calls = train.train, []

    def stopped(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        for event in whole(*arguments, **options):
            yield event
            if len(calls) == 2 and isinstance(event, checkpoint.Snapshot):
                raise KeyboardInterrupt

    monkeypatch.setattr(train, "train", stopped)
    assert saccade(*words).code == 130
    monkeypatch.undo()
    monkeypatch.chdir(place)
    step = int(next((place / "runs/tiny/longer-seed-0").glob("checkpoint-*")).stem.split("-")[1])
    answer = saccade(*words, "--json")
    assert statuses(answer) == {("2-glimpses", 0): "finished", ("longer", 0): "trained"}
    assert f"a checkpoint of step {step}: going on from there" in answer.err


def test_a_row_that_fails_stops_no_other(saccade: Any, place: Path) -> None:
    table = TABLE.replace('after = "2-glimpses"', "[rows.longer.data]\nshift = 500")
    (place / "tiny.toml").write_text(table + '[rows.next]\nafter = "longer"\n')
    answer = saccade("reproduce", "tiny.toml", "--seeds", "0", "--json")
    assert answer.code == 1
    found = statuses(answer)
    assert found == {("2-glimpses", 0): "trained", ("longer", 0): "failed", ("next", 0): "failed", ("fc", 0): "trained"}
    assert "longer, seed 0: failed: expected a shift of 0 to 27 pixels" in answer.err
    assert "next, seed 0: failed: it begins with the weights of longer, which are not there yet" in answer.err
    assert "Traceback" not in answer.err
    lines = {line["row"]: line for line in json.loads((place / "runs/tiny/tiny.json").read_text())["lines"]}
    assert lines["longer"]["measured"] == {}
    assert lines["fc"]["measured"]["error_percent"]["mean"] > 0
    assert "| longer |  | not trained |" in (place / "runs/tiny/tiny.md").read_text()


def test_a_run_that_another_process_trains_is_passed_over(saccade: Any, place: Path) -> None:
    folder = place / "runs/tiny/2-glimpses-seed-0"
    folder.mkdir(parents=True)
    with lock(folder):
        answer = saccade("reproduce", "tiny.toml", "--seeds", "0", "--json")
    assert answer.code == 0
    expected = {("2-glimpses", 0): "elsewhere", ("longer", 0): "elsewhere", ("fc", 0): "trained"}
    assert statuses(answer) == expected
    assert "2-glimpses, seed 0: trained elsewhere: process" in answer.err
    answer = saccade("reproduce", "tiny.toml", "--seeds", "0", "--json")
    assert statuses(answer) == {("2-glimpses", 0): "trained", ("longer", 0): "trained", ("fc", 0): "finished"}


def test_two_processes_write_what_one_does(saccade: Any, place: Path) -> None:
    for jobs in ("1", "2"):
        words = ["--rows", "2-glimpses,fc", "--seeds", "0", "--threads", "1", "--jobs", jobs, "--out", f"jobs-{jobs}"]
        answer = saccade("reproduce", "tiny.toml", *words, "--json")
        assert set(statuses(answer).values()) == {"trained"}, answer
    for row in ("2-glimpses", "fc"):
        one, two = (checkpoint.newest(place / f"jobs-{jobs}" / f"{row}-seed-0") for jobs in (1, 2))
        assert one is not None and two is not None
        assert all((one.tensors[name] == two.tensors[name]).all() for name in one.tensors)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("tiny.toml --rows 2-glimses", "found '2-glimses'; did you mean 2-glimpses?"),
        ("tiny.toml --rows 2-glimpses,zzz", "found 'zzz'; name some of 2-glimpses, longer, fc"),
        ("tiny.toml --seeds 0,one", "found '0,one' for --seeds"),
        ("tiny.toml --seeds 1,1", "different whole numbers"),
        ("tiny.toml --jobs 0", "'--jobs'"),
        ("nowhere.toml", "no file nowhere.toml"),
        ("empty.toml", "at least one row, [rows.NAME], found none in empty.toml"),
        ("nobody.toml", f"a system: {', '.join(systems.names())}, found None for row a of nobody.toml"),
        ("circle.toml", "a, which waits for itself"),
        ("orphan.toml", "a row of orphan.toml, found 'b'"),
        ("wrong.toml", "found 0 for wrong.toml: [rows.a.model] glimpses"),
        ("number.toml", "a name in quotes, found number.toml: [rows.a] after = 3"),
    ],
)
def test_refused(refused: Any, place: Path, words: str, says: str) -> None:
    (place / "empty.toml").write_text('system = "glimpse"\n')
    (place / "nobody.toml").write_text("[rows.a]\n")
    (place / "circle.toml").write_text('system = "glimpse"\n[rows.a]\nafter = "b"\n[rows.b]\nafter = "a"\n')
    (place / "orphan.toml").write_text('system = "glimpse"\n[rows.a]\nafter = "b"\n')
    (place / "wrong.toml").write_text('system = "glimpse"\n[rows.a.model]\nglimpses = 0\n')
    (place / "number.toml").write_text('system = "glimpse"\n[rows.a]\nafter = 3\n')
    before = contents(place)
    assert says in refused("reproduce", *words.split())
    assert contents(place) == before
    assert not (place / "runs").exists()


def test_results_of_another_version(refused: Any, saccade: Any, place: Path) -> None:
    (place / "results").mkdir()
    (place / "results/tiny.json").write_text('{"format": 99, "runs": []}')
    assert "results of format 1, found format 99" in refused("reproduce", "tiny.toml", "--results", "results")
    assert not (place / "runs").exists()
    (place / "results/tiny.json").unlink()
    words = ["reproduce", "tiny.toml", "--rows", "fc", "--seeds", "0", "--results", "results", "--json"]
    assert saccade(*words).code == 0
    folder = place / "runs/tiny/fc-seed-0"
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | {"format": 99}))
    answer = saccade(*words)
    assert answer.code == 1
    assert "fc, seed 0: failed: expected format 1 or 2 in" in answer.err
    (left_out,) = answer.json()["left_out"]
    assert "expected format 1 or 2 in" in left_out and "found 99" in left_out
    (folder / "run.json").write_text(json.dumps(run | {"model": run["model"] | {"hidden": 17}}))
    answer = saccade(*words)
    assert "fc, seed 0: failed: expected the run of the row in" in answer.err
    assert "model.hidden: 17, now 16" in answer.err
    lines = {line["row"]: line for line in json.loads((place / "results/tiny.json").read_text())["lines"]}
    assert lines["fc"]["seeds"] == [0], "what the table held before stays"


def test_collect_takes_runs_that_were_trained_one_by_one(
    saccade: Any, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["baseline", "train", "--config", "tiny.toml", "--row", "fc", "--seed", "5"]
    for more in (["--out", "mine/a", "--eval"], ["--epochs", "2", "--out", "mine/b", "--eval"]):
        monkeypatch.setattr(sys, "argv", ["saccade", *words, *more])
        assert saccade(*words, *more).code == 0
    shutil.copytree("mine/a", "mine/unmeasured")
    (place / "mine/unmeasured/metrics.json").unlink()
    answer = saccade("reproduce", "tiny.toml", "--collect", "--out", "mine", "--json")
    assert answer.code == 0
    lines = lines_of(place / "mine/tiny.json", "fc")
    assert [line["departures"] for line in lines] == [[], ["train.epochs 2, not 1"]]
    assert [line["seeds"] for line in lines] == [[5], [5]]
    assert lines[1]["made_by"] == "saccade baseline train --config tiny.toml --row fc --epochs 2"
    shutil.rmtree("mine/a")
    assert saccade("reproduce", "tiny.toml", "--collect", "--out", "mine").code == 0
    assert [
        line for line in json.loads((place / "mine/tiny.json").read_text())["lines"] if line["row"] == "fc"
    ] == lines


def test_the_rows_of_another_system_do_not_inherit_the_model(saccade: Any, place: Path) -> None:
    shown = saccade("baseline", "train", "--config", "tiny.toml", "--row", "fc", "--show-config", "--json").json()
    assert (shown["system"], shown["model"]) == ("baseline", {"kind": "fc", "hidden": 16})
    shown = saccade("glimpse", "train", "--config", "tiny.toml", "--row", "longer", "--show-config", "--json").json()
    assert shown["train"]["start_from"] == "runs/tiny/2-glimpses"
