"""The comparison of cores: what is trained, what a row says, and what the figure shows."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from saccade.cores import compare, compare_figure, flow
from saccade.pipeline.config import differences

SMALL = {
    "glimpse": {"hidden": 16, "features": 8, "glimpses": 3},
    "draw": {"hidden": 16, "latent": 4, "steps": 3, "first_steps": 3, "importance_samples": 2},
}


@pytest.fixture(scope="module")
def small() -> Any:
    """Every planned training, made small; and times of one round."""
    planned = compare.planned

    def smaller(system: str, core: str, **options: Any) -> Any:
        run = planned(system, core, **{"epochs": 1, **{k: v for k, v in options.items() if v is not None}})
        return replace(run, model=replace(run.model, **SMALL[system]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare, "planned", smaller)
        patch.setattr(compare, "ROUNDS", 1)
        patch.setattr(compare, "STEPS_A_ROUND", 1)
        yield


@pytest.fixture(scope="module")
def runs(small: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cores") / "runs"


@pytest.fixture(scope="module")
def rows(small: None, runs: Path) -> list[compare.CoreResult]:
    return compare.measure(runs, lambda text: None, seeds=2)


def test_the_trainings_differ_in_the_core_alone() -> None:
    for system in compare.SYSTEMS:
        one, other = compare.planned(system, "rnn"), compare.planned(system, "gru")
        assert differences(one, other) == ["model.core: 'rnn', now 'gru'"]
        assert one.train.threads == 1


def test_a_row_for_every_core_says_what_the_runs_metrics_say(rows: list[compare.CoreResult]) -> None:
    named = [(row["system"], row["core"]) for row in rows]
    assert named == [(system, core) for system in ("glimpse", "draw") for core in ("rnn", "lstm", "gru")]
    for row in rows:
        metrics = [json.loads((Path(run) / "metrics.json").read_text()) for run in row["runs"]]
        values = [m["error_percent"]["mean_policy"] if row["system"] == "glimpse" else m["bound_nats"] for m in metrics]
        assert row["by_seed"] == values
        mean = row.get("error_percent") if row["system"] == "glimpse" else row.get("bound_nats")
        assert mean == pytest.approx(sum(values) / 2)
        assert row["parameters"] == metrics[0]["parameters"]
        assert row["step_cpu_ms"] > 0
        assert row["standard_error"] > 0
        epochs, losses = zip(*row["curve"], strict=True)
        assert epochs[-1] == 1
        assert all(loss > 0 for loss in losses)
    sizes = {row["core"]: row["parameters"] for row in rows[:3]}
    assert sizes["rnn"] < sizes["gru"] < sizes["lstm"]


def test_once_more_trains_nothing_and_measures_nothing_anew(small: None, rows: Any, runs: Path) -> None:
    def times() -> dict[str, int]:
        return {str(file): file.stat().st_mtime_ns for file in runs.rglob("*.safetensors")} | {
            str(file): file.stat().st_mtime_ns for file in runs.rglob("metrics.json")
        }

    before, again = times(), compare.measure(runs, lambda text: None, seeds=2)
    assert len(before) == 24
    assert times() == before
    assert [row["by_seed"] for row in again] == [row["by_seed"] for row in rows]


def test_trained_networks_join_the_gradient_flow(small: None, rows: Any, runs: Path) -> None:
    for system in compare.SYSTEMS:
        found = flow.systems_flow(system, runs)
        assert [(f["core"], f["trained"]) for f in found] == [(c, t) for c in compare.CORES for t in (False, True)]
        assert found[0]["norms"] != found[1]["norms"]


def test_the_figure_shows_quality_time_and_size_of_every_core(rows: list[compare.CoreResult]) -> None:
    panels = compare_figure.draw(rows).axes
    titles = [panel.get_title(loc="left") for panel in panels]
    beside = ["Milliseconds a step", "Thousand parameters"]
    assert titles == ["RAM: learning", "Error, percent", *beside, "DRAW: learning", "Bound, nats an image", *beside]
    for line, system in ((0, rows[:3]), (1, rows[3:])):
        for panel, field, scale in ((2, "step_cpu_ms", 1), (3, "parameters", 1000)):
            widths = [bar.get_width() for bar in panels[4 * line + panel].patches]  # type: ignore[attr-defined]
            assert widths == [row[field] / scale for row in system]
            assert [tick.get_text() for tick in panels[4 * line + panel].get_yticklabels()] == ["RNN", "LSTM", "GRU"]


def test_a_draw_whose_latents_say_nothing_is_called_collapsed() -> None:
    metrics = {"bound_nats": 170.0, "bound_standard_error_nats": 1.0, "kl_nats": 0.2, "examples": 400}
    assert compare._summary("draw", [metrics])["collapsed"]
    assert not compare._summary("draw", [metrics | {"kl_nats": 20.0}])["collapsed"]
    (shown,) = compare.table([compare._summary("draw", [metrics]) | ROW])
    assert any("collapsed" in str(cell) for cell in shown.values())


ROW = {"system": "draw", "core": "rnn", "epochs": 1, "step_cpu_ms": 1.0, "parameters": 10}
