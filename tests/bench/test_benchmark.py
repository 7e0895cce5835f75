"""The benchmark on the smallest budget, whole; going on, failing in parts; and its bad input."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from saccade.bench import benchmark
from saccade.bench.plan import DATASETS, plan
from saccade.cli import app
from saccade.errors import InputError
from saccade.tables.reproduce import is_finished
from saccade.tables.rows import Task
from saccade.terminal.options import typed

sys.path.insert(0, str(Path(__file__).parent))
from tiny import tiny


def saccade(*words: str | Path) -> tuple[int, str, list[str]]:
    """Exit code, stdout, and stderr's lines."""
    result = CliRunner().invoke(app, [str(word) for word in words], prog_name="saccade", catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr.splitlines()


def test_it_measures_everything(content: dict[str, Any]) -> None:
    names = {contestant.name for contestant in tiny().contestants}
    rows = {row["name"]: row for row in content["rows"] if row["source"] == "measured"}
    assert rows.keys() == names
    assert content["failed"] == []
    errors = rows["ram-2"]["error_percent"]
    assert len(errors["values"]) == 2
    assert errors["min"] <= errors["mean"] <= errors["max"]
    assert errors["std"] >= 0
    assert content["costs"].keys() == names - {"ram-6-mixed"}
    for cost in content["costs"].values():
        assert cost["latency_ms"] > 0
        assert cost["throughput"]["images_per_second"] > 0
        assert cost["training_peak_bytes"] > cost["peak_memory_bytes"] > 0
    quoted = [row for row in content["rows"] if row["source"] == "paper"]
    assert {row["paper"] for row in quoted} == {"Mnih et al. 2014"}
    assert content["machine"]["threads"] == 1


def test_the_glimpses_do_not_pay_for_the_size_of_the_image(content: dict[str, Any]) -> None:
    networks = content["growth"]["networks"]
    assert networks["ram"]["multiply_adds"] == [networks["ram"]["multiply_adds"][0]] * 3
    assert networks["cnn"]["exponent"]["multiply_adds"] > 0.8
    assert networks["ram"]["peak_memory_bytes"][-1] < 100_000 < networks["cnn"]["peak_memory_bytes"][-1]
    assert networks["ram"]["latency_ms"][-1] < networks["cnn"]["latency_ms"][-1] / 3  # 10 and more on a quiet machine


def test_robustness_has_a_point_for_every_setting(content: dict[str, Any]) -> None:
    for key in ("pieces", "side"):
        part = content["robustness"][key]
        assert part["error_percent"].keys() == {"ram-6", "ram-6-mixed"}
        assert all(len(errors) == len(part["x"]) for errors in part["error_percent"].values())
        assert all(0 <= error <= 100 for errors in part["error_percent"].values() for error in errors)


def test_the_command_of_a_row_makes_its_run(content: dict[str, Any], measured: Path) -> None:
    contestant = next(c for c in tiny().contestants if c.name == "window-6")
    run = contestant.run(0)
    words = typed(run).split()
    code, out, _ = saccade("glimpse", "train", *words, "--show-config", "--json")
    assert code == 0
    shown, written = json.loads(out), json.loads((measured / "runs" / "window-6-seed0" / "run.json").read_text())
    assert shown.keys() == {"system", "data", "model", "train"}
    assert all(written[table] == value for table, value in shown.items())


def test_it_goes_on_where_it_stopped(measured: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    shutil.copytree(measured, out)
    before = json.loads((out / "benchmark.json").read_text())
    kept = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/checkpoint-*.safetensors")}
    shutil.rmtree(out / "runs" / "fc-seed0")
    (out / "runs" / "cnn-seed0" / "run.json").write_text("{")  # a run folder that somebody damaged
    found = benchmark.run(tiny(), out, 1, None)
    assert [fault["run"] for fault in found["failed"]] == ["cnn-seed0"]
    assert found["rows"][0] == before["rows"][0]
    assert found["growth"] == before["growth"]
    assert "fc" in found["costs"]
    assert "cnn" not in found["costs"]
    for path, time in kept.items():
        if path.parent.name != "fc-seed0":
            assert path.stat().st_mtime_ns == time
    code, _, lines = saccade("report", out)
    assert code == 1
    assert lines[0].startswith("saccade: cnn-seed0 failed: ")
    assert len(lines) == 1


def test_a_run_counts_as_finished_only_with_its_own_settings(measured: Path) -> None:
    contestant = next(c for c in tiny().contestants if c.name == "fc")
    folder = measured / "runs" / "fc-seed0"
    assert is_finished(Task("fc", contestant.run(0), folder))
    with pytest.raises(InputError, match="seed"):
        is_finished(Task("fc", contestant.run(1), folder))
    assert not is_finished(Task("fc", contestant.run(0), measured / "runs" / "no-such-run"))


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("full", [False, True])
def test_every_plan_is_of_valid_runs_with_names_of_their_own(dataset: str, full: bool) -> None:
    contestants = plan(dataset, full=full).contestants
    assert len({c.name for c in contestants}) == len(contestants)
    for contestant in contestants:
        assert contestant.run(2).train.seed == 2
        assert len(contestant.seeds) == (3 if contestant.ranked else 1)


def test_bad_input(measured: Path, tmp_path: Path) -> None:
    code, _, lines = saccade("benchmark", "--dataset", "mnits", "--out", tmp_path / "x")
    assert (code, len(lines)) == (2, 1)
    assert "expected a dataset among digits, mnist, translated, cluttered, found 'mnits'" in lines[0]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(InputError, match="or a benchmark's, found other files"):
        benchmark.run(tiny(), tmp_path / "other", 1, None)
    with pytest.raises(InputError, match=r"the benchmark begun in .*, found one of digits"):
        benchmark.run(tiny()._replace(full=True), measured, 1, None)
    (tmp_path / "benchmark.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(InputError, match="format 1 of a benchmark, found 99"):
        benchmark.read(tmp_path)
