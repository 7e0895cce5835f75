"""How a gaze follows the digit whose place is known."""

from torch import Tensor


def following(location: Tensor, digit: Tensor, distance: Tensor) -> dict[str, list[float]]:
    """Compare the gaze [B, T, 2] with the digit's place [B, 2], glimpse by glimpse.

    Returns:
        The median distance in pixels, of distances [B, T]; the slope and the correlation of the gaze with the place,
        means over x and y. Lists of T numbers.
    """
    gaze, place = location - location.mean(0), (digit - digit.mean(0))[:, None]
    together, spread, range_ = (gaze * place).mean(0), gaze.square().mean(0), place.square().mean(0)
    correlation = together / (spread * range_).sqrt().clamp(min=1e-12)
    return {
        "median_distance_pixels": distance.median(0).values.tolist(),
        "slope": (together / range_).mean(1).tolist(),
        "correlation": correlation.mean(1).tolist(),
    }
