"""A user's own images: every way to hand one over gives the same batch, and what is no image is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from saccade.errors import InputError
from saccade.images.config import Shape
from saccade.images.inputs import UNKNOWN, to_batch
from saccade.images.mnist_framing import read_image
from tests.images.cases import facts_of

GREY = facts_of(Shape(1, 28, 28, 10))
COLOUR = facts_of(Shape(3, 20, 24, 4))


def stroke(height: int = 28, width: int = 28) -> np.ndarray:
    """A one, white on black with grey edges, uint8 [H, W]."""
    pixels = np.zeros((height, width), np.uint8)
    top, left = height // 5, width // 2
    pixels[top : height - top, left - 2 : left + 2] = 255
    pixels[top : height - top, left - 3] = 100
    return pixels


def coloured() -> np.ndarray:
    """Random colours, uint8 [20, 24, 3]."""
    return np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)


GREY_IMAGES: dict[str, Any] = {
    "[H, W]": stroke(),
    "[1, H, W]": stroke()[None],
    "[H, W, 1]": stroke()[:, :, None],
    "[1, 1, H, W]": stroke()[None, None],
    "float32": stroke().astype(np.float32) / np.float32(255),
    "float64": stroke() / 255,
    "tensor": torch.tensor(stroke()),
    "float tensor": torch.tensor(stroke()) / 255,
    "float64 tensor that wants a gradient": (torch.tensor(stroke()).double() / 255).requires_grad_(),
    "not contiguous": np.asfortranarray(stroke()),
    "negative strides": np.ascontiguousarray(stroke()[:, ::-1])[:, ::-1],
    "read-only": np.frombuffer(stroke().tobytes(), np.uint8).reshape(28, 28),
    "the other byte order": (stroke() / 255).astype(">f8"),
    "a list of one": [stroke()],
}


@pytest.mark.parametrize("image", GREY_IMAGES.values(), ids=GREY_IMAGES)
def test_a_grey_image_of_the_networks_size_is_taken_as_it_is(image: Any) -> None:
    batch = to_batch(image, GREY)
    assert (batch.images.dtype, batch.labels.dtype) == (torch.float32, torch.int64)
    assert batch.images.shape == (1, 1, 28, 28)
    assert batch.images.is_contiguous() and not batch.images.requires_grad
    torch.testing.assert_close(batch.images[0, 0], torch.tensor(stroke()).float() / 255)
    assert batch.labels.tolist() == [UNKNOWN]


def test_a_boolean_image_is_black_and_white() -> None:
    assert torch.equal(to_batch(stroke() > 50, GREY).images[0, 0], torch.tensor(stroke() > 50).float())


def test_half_precision_is_taken() -> None:
    found = to_batch((torch.tensor(stroke()) / 255).half(), GREY).images
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[0, 0], torch.tensor(stroke()).float() / 255, atol=1e-3, rtol=0)


def test_an_array_is_copied_and_left_alone() -> None:
    image = stroke() / np.float32(255)
    batch = to_batch(image.astype(np.float32), GREY)
    batch.images.fill_(0.5)
    np.testing.assert_array_equal(image, stroke() / np.float32(255))


COLOUR_IMAGES: dict[str, Any] = {
    "[H, W, C]": coloured(),
    "[C, H, W]": coloured().transpose(2, 0, 1),
    "[1, C, H, W]": coloured().transpose(2, 0, 1)[None],
    "[1, H, W, C]": coloured()[None],
    "float": coloured() / 255,
    "tensor": torch.tensor(coloured()).permute(2, 0, 1),
    "PIL image": Image.fromarray(coloured()),
}


@pytest.mark.parametrize("image", COLOUR_IMAGES.values(), ids=COLOUR_IMAGES)
def test_a_colour_image_of_the_networks_size_is_taken_as_it_is(image: Any) -> None:
    batch = to_batch(image, COLOUR, digits=False)
    assert batch.images.shape == (1, 3, 20, 24)
    torch.testing.assert_close(batch.images[0], torch.tensor(coloured()).permute(2, 0, 1).float() / 255)


def test_many_images_in_one_array_or_in_a_list() -> None:
    many = torch.rand(5, 28, 28, generator=torch.Generator().manual_seed(0))
    for images in (many, many[:, None], list(many), tuple(many.numpy())):
        batch = to_batch(images, GREY)
        torch.testing.assert_close(batch.images, many[:, None])
        assert batch.labels.tolist() == [UNKNOWN] * 5
    one_by_one = torch.cat([to_batch(image, GREY).images for image in many])
    assert torch.equal(one_by_one, to_batch(many, GREY).images)


def test_three_grey_images_are_a_batch_and_three_colours_are_one_image() -> None:
    assert to_batch(torch.rand(3, 28, 28), GREY).images.shape == (3, 1, 28, 28)
    assert to_batch(torch.rand(3, 20, 24), COLOUR).images.shape == (1, 3, 20, 24)


def test_files_pictures_and_arrays_may_stand_in_one_list(tmp_path: Path) -> None:
    Image.fromarray(stroke()).save(tmp_path / "one.png")
    file = tmp_path / "one.png"
    batch = to_batch([file, str(file), Image.fromarray(stroke()), stroke(), torch.tensor(stroke())], GREY)
    assert batch.images.shape == (5, 1, 28, 28)
    assert torch.equal(batch.images[0], batch.images[1]) and torch.equal(batch.images[0], batch.images[2])  # framed
    assert torch.equal(batch.images[3], batch.images[4])  # as they are
    assert not torch.equal(batch.images[0], batch.images[3])


@pytest.mark.parametrize("size", [(40, 30), (200, 260), (20, 20)])
def test_images_of_another_size_are_framed_as_a_file_is(tmp_path: Path, size: tuple[int, int]) -> None:
    pixels = stroke(*size)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    expected = read_image(tmp_path / "large.png", GREY.shape)
    for image in (tmp_path / "large.png", Image.fromarray(pixels), pixels, pixels / 255, torch.tensor(pixels)[None]):
        assert torch.equal(to_batch(image, GREY).images[0], expected)
    border = torch.ones(28, 28, dtype=torch.bool)
    border[3:25, 3:25] = False
    assert (expected[0, border] == 0).all() and expected.max() > 0.9


def test_a_picture_is_framed_whatever_its_size_an_array_only_on_demand(tmp_path: Path) -> None:
    corner = np.zeros((28, 28), np.uint8)
    corner[1:13, 1:13] = stroke(12, 12)
    for paper in (0, 255):
        pixels = np.abs(paper - corner.astype(int)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "own.png")
        Image.fromarray(np.pad(pixels, ((0, 1), (0, 1)), constant_values=paper)).save(tmp_path / "larger.png")
        expected = to_batch(tmp_path / "larger.png", GREY).images
        for image in (tmp_path / "own.png", Image.fromarray(pixels)):
            torch.testing.assert_close(to_batch(image, GREY).images, expected, atol=0.05, rtol=0)
        torch.testing.assert_close(to_batch(pixels, GREY, framed=True).images, expected, atol=0.05, rtol=0)
        as_it_is = torch.tensor(pixels).float() / 255
        torch.testing.assert_close(to_batch(pixels, GREY).images[0, 0], as_it_is)
        torch.testing.assert_close(to_batch(tmp_path / "own.png", GREY, framed=False).images[0, 0], as_it_is)


def test_images_that_are_no_digits_are_scaled() -> None:
    large = np.kron(coloured(), np.ones((2, 2, 1), np.uint8))
    found = to_batch(large, COLOUR, digits=False).images
    assert found.shape == (1, 3, 20, 24)
    expected = np.asarray(Image.fromarray(large).resize((24, 20), Image.Resampling.BICUBIC))
    torch.testing.assert_close(found[0], torch.tensor(expected).permute(2, 0, 1).float() / 255)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16"])
def test_pictures_of_any_mode_are_taken_and_left_open(mode: str) -> None:
    if mode == "I;16":
        picture = Image.fromarray(stroke().astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(stroke()).convert(mode)
    for facts in (GREY, COLOUR):
        batch = to_batch(picture, facts, digits=facts is GREY)
        assert batch.images.shape == (1, *facts.shape[:3])
        assert batch.images.min() >= 0 and batch.images.max() <= 1
    assert picture.size == (28, 28)
    picture.load()  # still whole


NaN = np.full((28, 28), 0.5)
NaN[3, 4] = np.nan
REFUSED: dict[str, tuple[Any, str]] = {
    "NaN": (NaN, "finite pixels, found NaN or infinity"),
    "infinity": (np.full((28, 28), np.inf), "finite pixels"),
    "above 1": (stroke().astype(np.float32), "floating-point pixels from 0 to 1, found 0 to 255; divide by 255"),
    "below 0": (np.full((28, 28), -0.25), "floating-point pixels from 0 to 1, found -0.25"),
    "integers": (stroke().astype(np.int64), "uint8 or floating point, found int64"),
    "[H, W, 3]": (np.zeros((28, 28, 3), np.uint8), r"an image of 1 channel: .*found an array \[28, 28, 3\].* grey"),
    "[H, W, 4]": (np.zeros((28, 28, 4), np.uint8), "an image of 1 channel"),
    "[N, 3, H, W]": (np.zeros((2, 3, 28, 28), np.uint8), "an image of 1 channel"),
    "one axis": (np.zeros(784), r"an image \[H, W\] or a batch \[N, C, H, W\], found 1 axes"),
    "five axes": (np.zeros((1, 1, 1, 28, 28)), "found 5 axes"),
    "no axis": (np.array(0.5), "found 0 axes"),
    "a number": (0.5, "a path, a PIL image, a NumPy array or a tensor, found float"),
    "complex numbers": (stroke().astype(np.complex64), "uint8 or floating point, found complex64"),
    "objects": (stroke().astype(object), "uint8 or floating point, found object"),
    "an empty list": ([], "one picture or more, found none"),
    "an empty batch": (np.zeros((0, 1, 28, 28)), "one picture or more, found none"),
    "no pixels": (np.zeros((0, 28)), "an image of 1 channel"),
    "a number in a list": ([3], "a path, a PIL image, a NumPy array or a tensor, found int"),
    "None in a list": ([None], "found NoneType"),
    "no ink": (np.full((40, 40), 7, np.uint8), "no ink"),
}


@pytest.mark.parametrize(("image", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_image_is_refused_in_one_line(image: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        to_batch(image, GREY)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("shape", [(20, 24), (5, 20, 24), (20, 24, 4), (2, 1, 20, 24)])
def test_a_network_of_colours_wants_three_of_them(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="an image of 3 channels"):
        to_batch(np.zeros(shape, np.uint8), COLOUR, digits=False)


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    whole = tmp_path / "whole.png"
    Image.fromarray(coloured()).save(whole)
    (tmp_path / "torn.png").write_bytes(whole.read_bytes()[:-200])
    for name, said in (("none.png", "no such file"), ("text.png", "a picture in"), ("torn.png", "a whole picture in")):
        with pytest.raises(InputError, match=said):
            to_batch([whole, tmp_path / name], COLOUR, digits=False)
