"""Measures of a gaze that follows a digit whose place is known."""

from jaxtyping import Float
from torch import Tensor


def following(
    location: Float[Tensor, "B T 2"], digit: Float[Tensor, "B 2"], distance: Float[Tensor, "B T"]
) -> dict[str, list[float]]:
    """Compare the locations of every glimpse with the digits' places.

    Args:
        location: of the glimpses, image coordinates.
        digit: the middle of each digit, image coordinates.
        distance: of every glimpse from the digit, pixels.

    Returns:
        Lists of T numbers: the median distance in pixels; the slope of a regression of the location on the place, and
        the correlation of the two, each the mean over x and y.
    """
    gaze, place = location - location.mean(0), (digit - digit.mean(0))[:, None]
    covariance = (gaze * place).mean(0)  # [T, 2]
    variance_of_gaze, variance_of_place = gaze.square().mean(0), place.square().mean(0)
    correlation = covariance / (variance_of_gaze * variance_of_place).sqrt().clamp(min=1e-12)
    return {
        "median_distance_pixels": distance.median(0).values.tolist(),
        "slope": (covariance / variance_of_place).mean(1).tolist(),
        "correlation": correlation.mean(1).tolist(),
    }
