"""The retina against a slow one in NumPy, over random sizes, scales, locations and borders."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.gaze.sensor import Retina


def slow_retina(image: np.ndarray, x: float, y: float, patch: int, scales: int) -> np.ndarray:
    """Pixel by pixel: image [C, H, W], location (x, y), to [S, C, g, g]; beyond the border 0."""
    channels, height, width = image.shape
    seen = np.zeros((scales, channels, patch, patch))
    for s in range(scales):
        ratio = 2**s
        side = patch * ratio
        left = int(np.rint(np.float32((np.float32(x) + 1) * np.float32(width / 2) - np.float32(side / 2))))
        top = int(np.rint(np.float32((np.float32(y) + 1) * np.float32(height / 2) - np.float32(side / 2))))
        for c in range(channels):
            for i in range(side):
                for j in range(side):
                    if 0 <= top + i < height and 0 <= left + j < width:
                        seen[s, c, i // ratio, j // ratio] += image[c, top + i, left + j] / ratio**2
    return seen


@settings(max_examples=60, deadline=None)
@given(
    channels=st.sampled_from([1, 3]),
    height=st.integers(5, 24),
    width=st.integers(5, 24),
    patch=st.integers(1, 5),
    scales=st.integers(1, 3),
    x=st.floats(-1, 1, width=32),
    y=st.floats(-1, 1, width=32),
    seed=st.integers(0, 2**16),
    pad=st.booleans(),
)
def test_it_sees_what_the_slow_retina_sees(
    channels: int, height: int, width: int, patch: int, scales: int, x: float, y: float, seed: int, pad: bool
) -> None:
    images = torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(seed))
    retina = Retina(patch, scales, channels, height, width, pad=pad)
    locations = torch.tensor([[x, y], [-x, -y]])
    seen = retina(retina.prepare(images), locations)
    for i in range(2):
        its_x, its_y = locations[i].tolist()
        expected = slow_retina(images[i].numpy(), its_x, its_y, patch, scales)
        np.testing.assert_allclose(seen[i].numpy(), expected, atol=1e-6)
    if scales == 1:  # a copy, not an average: exact
        assert set(seen.flatten().tolist()) <= {0.0, *images.flatten().tolist()}


@pytest.mark.parametrize(("x", "y"), [(0, 0), (-1, -1), (1, 1), (-1, 1), (1, -1)])
def test_the_window_is_centred_on_the_location_and_half_off_the_image_in_a_corner(x: int, y: int) -> None:
    image = torch.ones(1, 1, 12, 12)
    retina = Retina(4, 1, 1, 12, 12)
    seen = retina(retina.prepare(image), torch.tensor([[float(x), float(y)]]))[0, 0, 0]
    rows = torch.tensor({-1: [0, 0, 1, 1], 0: [1, 1, 1, 1], 1: [1, 1, 0, 0]}[y], dtype=torch.float32)
    columns = torch.tensor({-1: [0, 0, 1, 1], 0: [1, 1, 1, 1], 1: [1, 1, 0, 0]}[x], dtype=torch.float32)
    assert torch.equal(seen, rows[:, None] * columns[None])


def test_a_location_beyond_the_image_is_taken_to_its_border() -> None:
    retina = Retina(4, 2, 1, 9, 14)
    canvas = retina.prepare(torch.rand(3, 1, 9, 14))
    far = torch.tensor([[7.0, -3.0], [1.5, 1.5], [-9.0, 0.2]])
    assert torch.equal(retina(canvas, far), retina(canvas, far.clamp(-1, 1)))
    lost = torch.full((3, 2), torch.nan)  # of a network that has diverged: its loss says so, not a crash
    assert torch.equal(retina(canvas, lost), retina(canvas, torch.zeros(3, 2)))


@pytest.mark.parametrize("channels", [1, 3])
def test_padded_or_not_it_sees_the_same_bits(channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(64, channels, 50, 70, generator=generator)
    locations = torch.rand(64, 2, generator=generator) * 2.2 - 1.1
    padded, bare = (Retina(5, 3, channels, 50, 70, pad=pad) for pad in (True, False))
    assert torch.equal(padded(padded.prepare(images), locations), bare(bare.prepare(images), locations))


def test_a_large_image_is_not_copied() -> None:
    images = torch.rand(1, 1, 400, 400)
    retina = Retina(8, 2, 1, 400, 400)
    assert retina.prepare(images).pixels.data_ptr() == images.data_ptr()


def test_half_extents_say_how_much_of_the_image_a_window_covers() -> None:
    assert Retina(8, 3, 1, 32, 64).half_extents() == [(8 / 64, 8 / 32), (16 / 64, 16 / 32), (32 / 64, 32 / 32)]


def loop(images: torch.Tensor, locations: torch.Tensor, patch: int) -> torch.Tensor:
    """The literal reference: a Python loop over the batch."""
    half, (height, width) = patch // 2, images.shape[2:]
    seen = []
    for image, location in zip(images, locations, strict=True):
        padded = torch.nn.functional.pad(image, (half,) * 4)
        x = int(torch.round((location[0] + 1) * width / 2 - patch / 2).item()) + half
        y = int(torch.round((location[1] + 1) * height / 2 - patch / 2).item()) + half
        seen.append(padded[:, y : y + patch, x : x + patch])
    return torch.stack(seen)


@pytest.mark.bench
@pytest.mark.parametrize(("batch", "bar"), [(128, 30), (1024, 100)])
def test_it_is_many_times_faster_than_a_loop_over_the_batch(batch: int, bar: float) -> None:
    images, glimpses = torch.rand(batch, 1, 28, 28), 7
    locations = torch.rand(glimpses, batch, 2) * 2 - 1
    retina = Retina(8, 1, 1, 28, 28)
    ratios, fast = [], []
    for _ in range(7):
        start = time.perf_counter()
        slow = [loop(images, location, 8) for location in locations]
        middle = time.perf_counter()
        for _ in range(10):
            canvas = retina.prepare(images)
            fast = [retina(canvas, location) for location in locations]
        end = time.perf_counter()
        assert all(torch.equal(a, b[:, 0]) for a, b in zip(slow, fast, strict=True))
        ratios.append((middle - start) / ((end - middle) / 10))
    median = sorted(ratios)[3]
    print(f"\nretina, batch {batch}: {median:.0f} x the loop ({min(ratios):.0f} ... {max(ratios):.0f})")
    assert median >= bar
