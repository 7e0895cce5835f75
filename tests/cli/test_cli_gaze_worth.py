"""The worth of the gaze is told where the gaze is measured and shown."""

import json
import shutil
from pathlib import Path
from typing import Any

from saccade import load
from saccade.glimpse.picture import picture
from saccade.glimpse.reader import Reader
from saccade.glimpse.worth import gaze_worth
from saccade.pipeline.contract import Trace


def test_eval_says_what_the_gaze_is_worth(saccade: Any, measured: Path) -> None:
    assert "A trained scan may do better." in saccade("glimpse", "eval", measured).err


def _trace(run: Path, picture: Path) -> Trace:
    reader = load(run)
    assert isinstance(reader, Reader)
    return reader.trace(picture)


def test_films_say_it_of_the_weights_that_were_measured(
    saccade: Any, trained: Path, digit: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    (run / "metrics.json").unlink(missing_ok=True)
    assert _trace(run, digit).remark is None
    saccade("glimpse", "eval", run)
    trace = _trace(run, digit)
    assert trace.remark == gaze_worth(json.loads((run / "metrics.json").read_text()))
    assert (picture(trace, 0, 0) != picture(trace._replace(remark=None), 0, 0)).any()
    assert trace.remark in saccade("glimpse", "read", "--run", run, digit).err
    assert trace.remark in saccade("glimpse", "gif", run).err
    metrics = json.loads((run / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps(metrics | {"step": metrics["step"] + 1}))
    assert _trace(run, digit).remark is None


def test_a_scan_that_is_as_good_is_no_praise() -> None:
    metrics = {"error_percent": {"mean_policy": 0.75}, "controls": {"fixed_scan": 1.0, "another_image": 0.5}}
    said = gaze_worth(metrics) or ""
    assert "No worth of the gaze is shown here" in said and "0.75%" in said and "1.00%" in said and "0.50%" in said
    metrics["controls"] = {"fixed_scan": 5.0, "another_image": 6.0}
    assert "The gaze is worth something here" in (gaze_worth(metrics) or "")
    assert gaze_worth({"error_percent": {"mean_policy": float("nan")}}) is None
