"""An unfinished picture: its place kept, light on dark, and which of its pixels are given."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from saccade.draw.unfinished import read_part
from saccade.errors import InputError
from saccade.images.config import Shape

SHAPE = Shape(1, 28, 28, 10)


def stroke(scale: int = 1) -> np.ndarray:
    """The upper half of a one, ink 255 on 0: rows 4 to 13, columns 13 and 14."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:14, 13:15] = 255
    return np.kron(pixels, np.ones((scale, scale), np.uint8))


def saved(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("scale", [1, 3, 10])
@pytest.mark.parametrize("dark", [True, False])
def test_the_picture_keeps_its_place_and_becomes_light_on_dark(tmp_path: Path, scale: int, dark: bool) -> None:
    pixels = stroke(scale) // 2 + 60  # grey ink on grey paper
    path = saved(tmp_path / "half.png", 255 - pixels if dark else pixels)
    part = read_part(path, SHAPE, keep="top")
    assert part.image.dtype == torch.float32 and part.image.shape == (1, 28, 28)
    torch.testing.assert_close(part.image[0], torch.tensor(stroke() / 255, dtype=torch.float32))
    assert part.given.dtype == torch.bool and part.given[:14].all() and not part.given[14:].any()


@pytest.mark.parametrize(
    ("keep", "rows", "columns"),
    [
        ("top", slice(0, 14), slice(0, 28)),
        ("bottom", slice(14, 28), slice(0, 28)),
        ("left", slice(0, 28), slice(0, 14)),
        ("right", slice(0, 28), slice(14, 28)),
    ],
)
def test_a_half_is_kept(tmp_path: Path, keep: Any, rows: slice, columns: slice) -> None:
    pixels = stroke()
    pixels[20, 20] = 255
    expected = torch.zeros(28, 28, dtype=torch.bool)
    expected[rows, columns] = True
    assert torch.equal(read_part(saved(tmp_path / "a.png", pixels), SHAPE, keep=keep).given, expected)


@pytest.mark.parametrize("mask_scale", [1, 4])
def test_a_mask_of_the_pictures_size_or_the_models(tmp_path: Path, mask_scale: int) -> None:
    white = np.zeros((28, 28), np.uint8)
    white[2:20, 5:25] = 255
    mask = saved(tmp_path / "mask.png", np.kron(white, np.ones((mask_scale, mask_scale), np.uint8)))
    part = read_part(saved(tmp_path / "a.png", stroke(4)), SHAPE, mask=mask)
    assert torch.equal(part.given, torch.tensor(white > 0))


@pytest.mark.parametrize("dark", [True, False])
def test_what_is_transparent_is_not_given_and_has_no_say(tmp_path: Path, dark: bool) -> None:
    grey = 255 - stroke() if dark else stroke()
    found = []
    for hidden in (0, 255):
        pixels = np.stack([grey, grey, grey, np.full_like(grey, 255)], axis=2)
        pixels[14:, :, :3], pixels[14:, :, 3] = hidden, 0
        found.append(read_part(saved(tmp_path / f"{hidden}.png", pixels), SHAPE))
    for part in found:
        assert part.given[:14].all() and not part.given[14:].any()
        assert torch.equal(part.image[0, :14], torch.tensor(stroke() > 0)[:14].float())


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_without_a_word_the_blank_side_is_missing(tmp_path: Path, turns: int) -> None:
    path = saved(tmp_path / "a.png", np.rot90(255 - stroke(5), turns).copy())
    expected = np.zeros((28, 28), bool)
    expected[:14] = True
    assert torch.equal(read_part(path, SHAPE).given, torch.tensor(np.rot90(expected, turns).copy()))


def test_black_and_white_for_a_model_of_black_and_white(tmp_path: Path) -> None:
    pixels = stroke()
    pixels[4, 13], pixels[5, 13] = 100, 140
    path = saved(tmp_path / "a.png", pixels)
    assert read_part(path, SHAPE, keep="top").image[0, 4, 13].item() == pytest.approx(100 / 255)
    two = read_part(path, SHAPE, keep="top", two_levels=True).image[0]
    assert (two[4, 13], two[5, 13]) == (0, 1)
    assert set(two.unique().tolist()) == {0, 1}


def test_a_picture_that_is_no_digit_keeps_its_colours(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    part = read_part(saved(tmp_path / "a.png", pixels), Shape(3, 8, 12, 2), keep="left", digits=False)
    mean = pixels.reshape(8, 2, 12, 2, 3).mean((1, 3)).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(part.image.numpy(), mean, atol=1 / 255)
    assert part.given.sum() == 48


def _mask(pixels: np.ndarray) -> Any:
    return lambda folder: {"mask": saved(folder / "mask.png", pixels)}


@pytest.mark.parametrize(
    ("pixels", "words", "says"),
    [
        (
            stroke()[:, :27],
            {"keep": "top"},
            "a picture of 28 x 28 pixels, or a larger one with that aspect ratio, found 27",
        ),
        (stroke()[:20, :20], {"keep": "top"}, "found 20 x 20 in"),
        (stroke() * 0, {"keep": "top"}, "found no ink"),
        (stroke(), {"keep": "bottom"}, "found no ink"),
        (np.rot90(stroke(), 2) | stroke(), {}, "a digit of which one side is missing, found ink on all sides of"),
        (stroke(), _mask(np.zeros((28, 28), np.uint8)), "some pixels that are given and some that are not, found none"),
        (stroke(), _mask(np.full((28, 28), 255, np.uint8)), "found all of them"),
        (stroke(), _mask(np.zeros((27, 28), np.uint8)), "a mask of the picture's size, 28 x 28 pixels, found 28 x 27"),
    ],
)
def test_refused(tmp_path: Path, pixels: np.ndarray, words: Any, says: str) -> None:
    words = words(tmp_path) if callable(words) else words
    with pytest.raises(InputError) as caught:
        read_part(saved(tmp_path / "a.png", pixels.copy()), SHAPE, **words)
    assert says in str(caught.value)


def test_refused_where_nothing_says_what_is_given(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", stroke())
    with pytest.raises(InputError, match="a part that is not given"):
        read_part(path, SHAPE, digits=False)
    with pytest.raises(InputError, match="one of --mask and --keep, found both"):
        read_part(path, SHAPE, mask=path, keep="top")
    with pytest.raises(InputError, match=r"a picture at .*none\.png, found no such file"):
        read_part(tmp_path / "none.png", SHAPE, keep="top")
    with pytest.raises(InputError, match=r"a picture at .*none\.png, found no such file"):
        read_part(path, SHAPE, mask=tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match=r"a picture in .*text\.png"):
        read_part(tmp_path / "text.png", SHAPE, keep="top")
