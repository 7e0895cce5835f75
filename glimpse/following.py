"""How a gaze follows the digit whose place is known."""

from torch import Tensor


def following(location: Tensor, digit: Tensor, distance: Tensor) -> dict[str, list[float]]:
    """How the gaze [T, B, 2] follows the digit's place [B, 2], by glimpse: the median distance in pixels [T, B], and
    the slope and the correlation of the one with the other, means over x and y."""
    gaze, place = location - location.mean(1, keepdim=True), digit - digit.mean(0)
    together, spread, range_ = (gaze * place).mean(1), gaze.square().mean(1), place.square().mean(0)
    correlation = together / (spread * range_).sqrt().clamp(min=1e-12)
    return {
        "median_distance_pixels": distance.median(1).values.tolist(),
        "slope": (together / range_).mean(1).tolist(),
        "correlation": correlation.mean(1).tolist(),
    }
