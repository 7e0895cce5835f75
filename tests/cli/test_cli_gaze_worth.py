"""The worth of the gaze is told where the gaze is measured."""

from pathlib import Path
from typing import Any

from saccade.glimpse.commands import gaze_worth


def test_eval_says_what_the_gaze_is_worth(saccade: Any, trained: Path) -> None:
    assert "the learned gaze is" in saccade("glimpse", "eval", trained).err


def test_a_scan_that_is_as_good_is_no_praise() -> None:
    metrics = {"error_percent": {"mean_policy": 0.75}, "controls": {"fixed_scan": 1.0, "another_image": 0.5}}
    said = gaze_worth(metrics) or ""
    assert "is not shown to be worth anything here" in said and "0.75%" in said and "1.00%" in said and "0.50%" in said
    metrics["controls"] = {"fixed_scan": 5.0, "another_image": 6.0}
    assert "is worth something here" in (gaze_worth(metrics) or "")
    assert gaze_worth({"error_percent": {"mean_policy": float("nan")}}) is None
