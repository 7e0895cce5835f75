"""Distortions: each against what its words promise."""

import math

import torch

from saccade.images.distortion import Distortion, distorted, random_distortion


def bar(side: int = 29) -> torch.Tensor:
    """An upright bar of three pixels in the middle: uint8 [1, 1, side, side]."""
    image = torch.zeros(1, 1, side, side, dtype=torch.uint8)
    image[..., 5:-5, side // 2 - 1 : side // 2 + 2] = 255
    return image


def made(**values: float) -> torch.Tensor:
    rest = {"angle": 0.0, "shear": 0.0, "across": 1.0, "down": 1.0, "wider": 0.0} | values
    return distorted(bar(), Distortion(**{name: torch.tensor([value]) for name, value in rest.items()}))


def test_nothing_is_changed_by_no_distortion() -> None:
    assert torch.equal(made(), bar())


def test_a_quarter_turn_lays_the_bar_down() -> None:
    assert (made(angle=math.pi / 2).int() - bar().transpose(2, 3)).abs().max() <= 1


def test_a_small_turn_is_counterclockwise_and_a_shear_moves_the_top_to_the_right() -> None:
    columns = torch.arange(29.0)
    for image, way in ((made(angle=0.2), -1), (made(shear=0.3), 1)):
        top, bottom = ((image[0, 0, row].float() * columns).sum() / image[0, 0, row].sum() for row in (8, 20))
        assert way * (top - bottom) > 2


def test_scales_and_stroke_width() -> None:
    assert made(down=0.5)[0, 0].any(dim=1).sum() < 0.6 * 19 + 2
    assert (made(across=2.0)[0, 0, 14] > 128).sum() == 5
    assert (made(wider=1.0)[0, 0, 14] > 127).sum() == 5
    assert made(wider=-1.0).float().sum() < bar().float().sum()


def test_parameters_depend_on_seed_and_step_and_stay_in_range() -> None:
    first, again = random_distortion(500, 0.5, 1, 2), random_distortion(500, 0.5, 1, 2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.angle, random_distortion(500, 0.5, 1, 3).angle)
    assert first.angle.abs().max() <= math.radians(15) + 1e-6
    assert 0.875 - 1e-6 <= first.across.min() <= first.across.max() <= 1.125 + 1e-6
