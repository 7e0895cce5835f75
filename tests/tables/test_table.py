"""A paper's table from records: grouping, means and ranges, what departs from a row, what is kept."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from saccade.errors import InputError
from saccade.glimpse.config import Config
from saccade.pipeline.checkpoint.run_log import curve, evenly, learning, read_log, train_seconds
from saccade.pipeline.config import default_run, to_dict
from saccade.pipeline.provenance import command
from saccade.pipeline.systems import spec
from saccade.tables.records import departures, gather, row_of
from saccade.tables.rows import Row, choose, waves
from saccade.tables.table import check, write_tables

FILE = Path("experiments/toy.toml")
ROWS = {
    "a": Row("a", default_run("glimpse", spec("glimpse")), {"error_percent": 1.07}, None),
    "b": Row("b", default_run("baseline", spec("baseline")), {"error_percent": 1.69}, None),
    "c": Row("c", replace(default_run("glimpse", spec("glimpse")), model=Config(glimpses=2)), {}, "a"),
}
FACTS = {"channels": 1, "height": 28, "width": 28, "classes": ["0", "1"]}


def run_folder(path: Path, row: str, seed: int, error: float, **train: Any) -> None:
    """A run folder as training and evaluation leave one, checkpoints aside."""
    run = ROWS[row].run
    tables = to_dict(replace(run, train=replace(run.train, seed=seed, threads=3, **train)))
    made = {"command": ["saccade", run.system, "train", "--config", str(FILE), "--row", row, "--threads", "3"]}
    made |= {"git_commit": "0123456789+changes"}
    key = "mean_policy" if run.system == "glimpse" else "one_look"
    metrics = {"error_percent": {key: error, "rollouts": 10}, "controls": {"random": 80.0}, "parameters": 12345}
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps({"format": 2, **tables, "facts": FACTS, "provenance": made}))
    (path / "metrics.json").write_text(json.dumps(metrics | {"step": 20}))
    place = {"steps": 20, "loss": 1.0, "terms": {}}
    log = [place | {"step": step, "epoch": step / 2, "seconds": step * 6.0} for step in range(1, 21)]
    (path / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in log))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for seed, error in ((0, 1.0), (1, 1.5), (2, 1.1)):
        run_folder(tmp_path / f"a-seed-{seed}", "a", seed, error)
    run_folder(tmp_path / "short", "a", 0, 9.0, epochs=3)
    run_folder(tmp_path / "b-seed-0", "b", 0, 2.0)
    return tmp_path


def test_lines_are_rows_and_departures(runs: Path) -> None:
    wrote, odd = write_tables(runs, runs / "tables", FILE, ROWS)
    assert odd == []
    assert [Path(path).name for path in wrote[:2]] == ["toy.json", "toy.md"]
    lines = json.loads((runs / "tables" / "toy.json").read_text())["lines"]
    assert [(line["row"], line["departures"], line["seeds"]) for line in lines] == [
        ("a", [], [0, 1, 2]),
        ("a", ["train.epochs 3, not 12"], [0]),
        ("b", [], [0]),
        ("c", [], []),
    ]
    measured = lines[0]["measured"]["error_percent"]
    assert measured["each"] == [1.0, 1.5, 1.1]
    assert (measured["lowest"], measured["highest"]) == (1.0, 1.5)
    assert measured["mean"] == pytest.approx(1.2)
    assert measured["deviation"] == pytest.approx(0.2645751)  # of three values: sqrt(0.14 / 2)
    assert lines[1]["measured"]["error_percent"]["deviation"] is None
    assert lines[0]["train_minutes"] == [2.0, 2.0, 2.0]
    text = (runs / "tables" / "toy.md").read_text()
    assert (
        "| a | 1.07 | 1.20 (1.00 to 1.50) | 80.00 (80.00 to 80.00) | 0, 1, 2 | 12 | 2.0 (2.0 to 2.0) | 12,345 |" in text
    )
    assert "| a (train.epochs 3, not 12) | 1.07 | 9.00 |" in text
    assert "| b | 1.69 | 2.00 |" in text and "| c |  | not trained |" in text
    assert "`saccade reproduce experiments/toy.toml --rows a --seeds 0,1,2`" in text


def test_an_estimate_is_shown_with_its_number_of_samples(runs: Path) -> None:
    rows = ROWS | {"d": Row("d", default_run("draw", spec("draw")), {"bound_nats": 80.97}, None)}
    for seed, count in ((0, "20"), (1, "100")):
        folder = runs / f"d-seed-{seed}"
        run_folder(folder, "a", seed, 0.0)
        train = replace(rows["d"].run.train, seed=seed)
        text = json.loads((folder / "run.json").read_text()) | to_dict(replace(rows["d"].run, train=train))
        (folder / "run.json").write_text(json.dumps(text))
        found = {"bound_nats": 82.0, "importance_weighted_nats": {"1": 84.0, count: 80.0 + seed}, "parameters": 5}
        (folder / "metrics.json").write_text(json.dumps(found | {"step": 20}))
    write_tables(runs, runs / "tables", FILE, rows)
    text = (runs / "tables" / "toy.md").read_text()
    assert "| 80.50 (80.00 to 81.00), K = 20 or 100 |" in text and text.count("K = ") == 1
    assert "| d | 80.97 | 82.00 (82.00 to 82.00) |" in text


def test_a_table_grows_and_a_run_made_again_takes_its_own_place(runs: Path) -> None:
    write_tables(runs, runs / "tables", FILE, ROWS)
    later = runs / "later"
    run_folder(later / "x", "a", 1, 1.7)
    run_folder(later / "y", "a", 3, 1.3)
    write_tables(later, runs / "tables", FILE, ROWS)
    lines = json.loads((runs / "tables" / "toy.json").read_text())["lines"]
    assert lines[0]["measured"]["error_percent"]["each"] == [1.0, 1.7, 1.1, 1.3]
    assert lines[1]["seeds"] == [0]


def test_every_run_keeps_a_curve_of_its_own_though_the_row_changes(runs: Path) -> None:
    write_tables(runs, runs / "tables", FILE, ROWS)
    other = replace(ROWS["a"].run, train=replace(ROWS["a"].run.train, optimizer="muon"))
    later = runs / "later"
    run_folder(later / "x", "a", 0, 0.9, optimizer="muon")
    (later / "x" / "log.jsonl").write_text((later / "x" / "log.jsonl").read_text().replace("1.0", "2.0"))
    write_tables(later, runs / "tables", FILE, ROWS | {"a": ROWS["a"]._replace(run=other)})
    records = json.loads((runs / "tables" / "toy.json").read_text())["runs"]
    curves = {record["curve"]: (runs / "tables" / record["curve"]).read_text() for record in records}
    assert len(curves) == len(records) == 6
    losses = {record["train"]["optimizer"]: json.loads(curves[record["curve"]].splitlines()[0]) for record in records}
    assert (losses["adam"]["loss"], losses["muon"]["loss"]) == (1.0, 2.0)
    assert len(list((runs / "tables" / "curves" / "toy").iterdir())) == 6


def test_what_is_unfinished_or_damaged_is_left_out_and_named(runs: Path) -> None:
    metrics = runs / "b-seed-0" / "metrics.json"
    metrics.write_text(json.dumps(json.loads(metrics.read_text()) | {"step": 10}))
    (runs / "short" / "run.json").write_text("{")
    (runs / "a-seed-0" / "log.jsonl").unlink()
    records, odd = gather(runs, ROWS, FILE)
    assert [record["train"]["seed"] for record, _ in records] == [1, 2]
    assert len(odd) == 3
    for said, name in zip(odd, ("a-seed-0", "b-seed-0", "short"), strict=True):
        assert name in said


def test_runs_of_other_tables_are_none_of_ours(runs: Path) -> None:
    data = json.loads((runs / "short" / "run.json").read_text())
    data["provenance"]["command"] = ["saccade", "glimpse", "train"]
    assert row_of(data, ROWS, FILE, "short") is None
    assert row_of(data | {"system": "draw"}, ROWS, FILE, "short") is None
    data["provenance"]["command"] = ["saccade", "reproduce", str(FILE)]
    assert row_of(data, ROWS, FILE, "short") is None
    assert row_of(data, ROWS, FILE, "a-seed-0") == "a"


def test_another_version(tmp_path: Path) -> None:
    (tmp_path / "toy.json").write_text('{"format": 2, "runs": []}')
    with pytest.raises(InputError, match="results of format 1, found format 2"):
        check(tmp_path, FILE, ROWS)
    record = to_dict(ROWS["a"].run) | {"model": {"wings": 2}}
    with pytest.raises(InputError, match="wings"):
        departures(record, ROWS["a"])


def test_places_are_no_departures(tmp_path: Path) -> None:
    run = ROWS["c"].run
    train = replace(run.train, seed=7, threads=1, start_from="anywhere", keep=9)
    assert departures(to_dict(replace(run, train=train)), ROWS["c"]) == ()


def test_rows_come_after_those_they_begin_with() -> None:
    assert choose(ROWS, ["c"], FILE) == ["a", "c"]
    assert choose(ROWS, None, FILE) == ["a", "b", "c"]
    first, second = waves(ROWS, ["a", "b", "c"], [0, 1], Path("out"))
    assert [(task.row, task.run.train.seed) for task in first] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert [task.run.train.start_from for task in second] == ["out/a-seed-0", "out/a-seed-1"]
    assert second[1].folder == Path("out/c-seed-1")


def test_seconds_of_a_resumed_training_add_up() -> None:
    log = [{"seconds": seconds} for seconds in (1.0, 5.0, 2.0, 4.0, 0.5)]
    assert train_seconds(log) == 5.0 + 4.0 + 0.5


def test_a_resumed_runs_log_is_read_in_order_and_torn_lines_left_out(tmp_path: Path) -> None:
    place = {"step": 1, "steps": 9, "seconds": 1.0, "loss": 9.0}
    said = ((1, 3.0), (2, 2.0), (1.5, 2.5), (2, 1.0))  # a kill after epoch 2, and on from epoch 1
    lines = [json.dumps(place | {"epoch": e, "terms": {"probe": 7.0, "classification": c}}) for e, c in said]
    (tmp_path / "log.jsonl").write_text("\n".join([*lines[:2], '{"step": 3, "st', "[]", *lines[2:], '{"epoch": 3']))
    log = read_log(tmp_path)
    assert learning(log, "classification") == ("classification", [(1, 3.0), (1.5, 2.5), (2, 1.0)])
    assert learning(log) == learning(log, "strokes") == ("loss", [(1, 9.0), (1.5, 9.0), (2, 9.0)])
    strange = [log[0] | {"terms": terms} for terms in ({"classification": "low"}, None)]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, strange)))
    assert learning(read_log(tmp_path), "classification") == ("loss", [(1, 9.0)])
    without = [event | {"terms": {}} for event in log]
    assert learning(without, "classification") == ("loss", [(1, 9.0), (1.5, 9.0), (2, 9.0)])


def test_a_curve_is_thin_even_and_ends_at_the_end() -> None:
    log = [{"step": step, "seconds": 1.23456789, "loss": 1 / step, "other": 0} for step in range(1, 1001)]
    assert [event["step"] for event in evenly(log, 4)] == [250, 500, 750, 1000]
    lines = [json.loads(line) for line in curve(log).splitlines()]
    assert len(lines) == 60
    assert lines[-1] == {"step": 1000, "seconds": 1.2346, "loss": 0.001}
    assert [event["step"] for event in evenly(log[:3], 60)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("system", "metrics", "expected"),
    [
        ("glimpse", {"error_percent": {"mean_policy": 0.6, "averaged": 0.5}}, ("error_percent", 0.6)),
        ("glimpse", {"error_percent": 3.0, "bound_nats": 80.0}, ("error_percent", 3.0)),
        ("baseline", {"error_percent": {"one_look": 0.7}}, ("error_percent", 0.7)),
        ("draw", {"bound_nats": 80.0, "importance_weighted_nats": {"1": 84.0}}, ("bound_nats", 80.0)),
        ("adding", {"mean_squared_error": 0.01, "within_percent": 90.0}, ("mean_squared_error", 0.01)),
        ("glimpse", {"error_percent": None}, ("error_percent", None)),
        ("glimpse", {}, ("error_percent", None)),
    ],
)
def test_headline(system: str, metrics: dict[str, Any], expected: tuple[str, float | None]) -> None:
    headline = spec(system).headline
    assert (headline.name, headline.value(metrics)) == expected


def test_a_command_without_places() -> None:
    words = ["/a/cli.py", "draw", "train", "--out", "/x/y", "--threads=2", "--start-from", "/m/runs/draw-16", "--eval"]
    made: Any = {"command": [*words, "--seed", "3", "--dataset", "folder:my digits"]}
    assert command(made) == "saccade draw train --start-from runs/draw-16 --seed 3 --dataset 'folder:my digits'"
    assert command(made, without=("--seed",)).endswith("draw-16 --dataset 'folder:my digits'")
