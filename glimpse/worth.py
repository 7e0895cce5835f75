"""The worth of the learned gaze: the error by it against the error by other gazes, with the same weights."""

import math
from collections.abc import Mapping
from typing import Any


def gaze_worth(metrics: Mapping[str, Any]) -> str | None:
    """Return a sentence about the worth of the learned gaze, by metrics.json's errors; None if they are missing."""
    error, controls = metrics.get("error_percent", {}), metrics.get("controls", {})
    found = error.get("mean_policy"), controls.get("fixed_scan"), controls.get("another_image")
    learned, scan, other = (math.nan if value is None else float(value) for value in found)
    if math.isnan(learned) or math.isnan(scan):
        return None
    is_best = learned < scan and not learned >= other  # other may be NaN
    verdict = "The gaze is worth something here" if is_best else "No worth of the gaze is shown here"
    borrowed = "" if math.isnan(other) else f", {other:.2f}% by another image's"
    return (
        f"{verdict}: {learned:.2f}% wrong by it, {scan:.2f}% by a fixed scan{borrowed}. A trained scan may do better."
    )
