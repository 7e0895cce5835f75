"""A person's own pictures: folders of them as a data set, single ones to be read."""

import contextlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from saccade.errors import InputError
from saccade.images.class_folders import load_folder
from saccade.images.config import ImageData, Shape
from saccade.images.mnist_framing import read_image
from saccade.images.source import load_images

DIGITS = Shape(1, 28, 28, 10)


def picture(path: Path, grey: int = 100, size: tuple[int, int] = (12, 9), mode: str = "L") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, grey if mode == "L" else (grey, 0, 255)).save(path)
    return path


def data_set(root: Path, classes: str = "ab", count: int = 10) -> Path:
    for label, name in enumerate(classes):
        for index in range(count):
            picture(root / name / f"{index:02}.png", 20 * index + label)
    return root


def claiming(width: int, height: int) -> bytes:
    """A PNG of 60 bytes whose header claims that size."""
    chunks = b""
    for kind, data in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", b"x"),
        (b"IEND", b""),
    ):
        chunks += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_a_folder_per_class(tmp_path: Path) -> None:
    train, test, classes = load_folder(str(data_set(tmp_path, "cab")))
    assert classes == ("a", "b", "c")
    assert train.pixels.shape == (24, 1, 9, 12)
    assert test.labels.tolist() == [0, 0, 1, 1, 2, 2]  # a fifth of each
    values = torch.cat([train.pixels, test.pixels])[:, 0, 0, 0].sort().values
    assert values.tolist() == sorted(20 * index + label for index in range(10) for label in range(3))
    again = load_folder(str(tmp_path))
    assert torch.equal(again[0].pixels, train.pixels)
    source = load_images(ImageData(dataset=f"folder:{tmp_path}"), 0)
    assert (source.facts.shape, source.facts.classes, source.examples) == (Shape(1, 9, 12, 3), classes, 24)
    images, labels, _ = source.batch(0, 24)
    assert torch.equal((images[:, 0, 0, 0] * 255).round().long() % 20, torch.tensor([1, 2, 0])[labels])


def test_own_split_colours_and_dot_files(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("test", 2)):
        for name in "xy":
            for index in range(count):
                picture(tmp_path / part / name / f"{index}.jpg", mode="RGB")
    picture(tmp_path / "train" / "x" / "grey.png")
    (tmp_path / "train" / "x" / ".thumbs").write_text("no picture")
    (tmp_path / "train" / "README").write_text("no picture")
    train, test, classes = load_folder(str(tmp_path))
    assert train.pixels.shape == (7, 3, 9, 12)
    assert test.labels.tolist() == [0, 0, 1, 1]
    assert classes == ("x", "y")


def test_sixteen_bits_palette_and_transparency(tmp_path: Path) -> None:
    Image.fromarray(np.full((9, 12), 257 * 80, np.uint16)).save(tmp_path / "deep.png")
    Image.new("RGBA", (12, 9), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    picture(tmp_path / "palette.gif", 80)
    shape = Shape(1, 9, 12, 2)
    means = [
        read_image(tmp_path / name, shape, digits=False).mul(255).mean()
        for name in ("deep.png", "clear.png", "palette.gif")
    ]
    assert means == [80, 255, 80]


def test_bad_folders(tmp_path: Path) -> None:
    def refused(match: str, root: Path = tmp_path) -> None:
        with pytest.raises(InputError, match=match) as caught:
            load_images(ImageData(dataset=f"folder:{root}"), 0)
        assert "\n" not in str(caught.value)

    refused("found nothing", tmp_path / "absent")
    refused("at least two folders .*found no folders")
    data_set(tmp_path, "a")
    refused("found only a")
    (tmp_path / "b").mkdir()
    refused(r"pictures in \S*b, found an empty folder")
    picture(tmp_path / "b" / "0.png")
    refused("at least two pictures")
    picture(tmp_path / "b" / "1.png", size=(9, 12))
    refused(r"12x9, as in \S*a\S*00.png.*found 9x12 in \S*b\S*1.png")
    (tmp_path / "b" / "1.png").write_text("I am no picture")
    refused(r"a picture in \S*b\S*1.png, found something else")
    (tmp_path / "b" / "1.png").unlink()
    (tmp_path / "b" / "1.png").mkdir()
    refused(r"a picture in \S*b\S*1.png, found a folder")
    refused("found a file", picture(tmp_path / "file.png"))


def test_train_and_test_must_agree(tmp_path: Path) -> None:
    data_set(tmp_path / "train", "ab")
    data_set(tmp_path / "test", "abc")
    with pytest.raises(InputError, match="found c in one only"):
        load_folder(str(tmp_path))


@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (100_000, 100_000), (12_000, 8_000), (9_000, 9_000)])
def test_enormous_claims(tmp_path: Path, size: tuple[int, int]) -> None:
    data_set(tmp_path)
    (tmp_path / "b" / "05.png").write_bytes(claiming(*size))
    with pytest.raises(InputError, match=r"05\.png, found a claim"):
        load_folder(str(tmp_path))
    with pytest.raises(InputError, match=r"05\.png, found a claim"):
        read_image(tmp_path / "b" / "05.png", DIGITS)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "gif", "tif"])
def test_truncated_pictures(tmp_path: Path, ending: str) -> None:
    data_set(tmp_path)
    path = tmp_path / "b" / f"05.{ending}"
    noise = np.random.default_rng(0).integers(0, 256, (9, 12), np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    for kept in (0, 10, len(whole) * 2 // 3):
        path.write_bytes(whole[:kept])
        for act in (lambda: load_folder(str(tmp_path)), lambda: read_image(path, DIGITS)):
            with pytest.raises(InputError, match=path.name) as caught:
                act()
            assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"]))
def test_damaged_pictures_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, seed: int, kind: str) -> None:
    generator = np.random.default_rng(seed)
    path = tmp_path_factory.getbasetemp() / "damaged"
    Image.fromarray(generator.integers(0, 256, (9, 12), np.uint8)).save(path, kind)
    data = bytearray(path.read_bytes())
    for place in generator.integers(0, len(data), 3):
        data[place] = generator.integers(256)
    path.write_bytes(data)
    with contextlib.suppress(InputError):
        assert read_image(path, DIGITS).shape == (1, 28, 28)


def test_reading_what_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("I am no picture")
    for name, said in (("absent.png", "no such file"), ("notes.png", "something else"), (".", "a folder")):
        with pytest.raises(InputError, match=f"found {said}"):
            read_image(tmp_path / name, DIGITS)


def drawing(size: tuple[int, int], box: tuple[int, int, int, int], ink: int, paper: int, pen: int) -> Image.Image:
    image = Image.new("L", size, paper)
    ImageDraw.Draw(image).ellipse(box, outline=ink, width=pen)
    return image


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """Mean difference, one column more or less aside: a middle between two pixels may be rounded either way."""
    return min(float((one - other.roll(right, 2)).abs().mean()) for right in (-1, 0, 1))


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0), (60, 200), (120, 90)])
@pytest.mark.parametrize("pen", [4, 28])
@pytest.mark.parametrize("shape", [DIGITS, Shape(1, 60, 60, 10)])
def test_a_drawn_nought_is_framed_like_mnists(tmp_path: Path, ink: int, paper: int, pen: int, shape: Shape) -> None:
    drawing((640, 480), (300, 20, 400, 220), ink, paper, pen).save(tmp_path / "nought.png")
    image = read_image(tmp_path / "nought.png", shape)[0]
    assert image.max() > 0.99
    rows, columns = image.any(1).nonzero()[:, 0], image.any(0).nonzero()[:, 0]
    assert rows[-1] - rows[0] + 1 == 20  # the box
    assert columns[-1] - columns[0] + 1 in (10, 11)  # aspect kept: 100 to 200
    index = torch.arange(shape.height) + 0.5
    assert abs((image.sum(1) * index).sum() / image.sum() - shape.height / 2) <= 0.5
    assert abs((image.sum(0) * index).sum() / image.sum() - shape.width / 2) <= 0.5
    middle = shape.height // 2
    assert image[middle, middle] < 0.1  # a hole
    assert 2 <= image[middle, : shape.width // 2].sum() <= 4  # a line as wide as MNIST's, whatever the pen's
    assert image[0].sum() == 0


def test_a_framed_digit_survives_a_trip_through_a_large_dark_on_light_picture(tmp_path: Path) -> None:
    digit = np.array(drawing((400, 400), (130, 60, 280, 340), 255, 0, pen=40).resize((28, 28), Image.Resampling.BOX))
    Image.fromarray(digit).save(tmp_path / "small.png")
    large = Image.fromarray(255 - digit).resize((560, 560), Image.Resampling.BICUBIC)
    page = Image.new("L", (900, 700), 255)
    page.paste(large, (300, 40))
    page.save(tmp_path / "large.jpg", quality=90)
    small, framed = (read_image(tmp_path / name, DIGITS) for name in ("small.png", "large.jpg"))
    as_it_is = torch.tensor(digit)[None] / 255
    assert apart(small, as_it_is) < 0.03 and apart(small, framed) < 0.03  # 0.08 a pixel aside


def test_a_shadow_over_the_page_is_no_ink(tmp_path: Path) -> None:
    even = drawing((640, 480), (300, 120, 400, 320), 40, 220, pen=12)
    lit = np.asarray(even) * np.linspace(1, 0.5, 640)
    even.save(tmp_path / "even.png")
    Image.fromarray(lit.astype(np.uint8)).save(tmp_path / "lit.png")
    expected, found = (read_image(tmp_path / name, DIGITS) for name in ("even.png", "lit.png"))
    assert apart(expected, found) < 0.01  # 0.05 a pixel aside


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_an_empty_page(tmp_path: Path, grey: int) -> None:
    with pytest.raises(InputError, match="found no ink"):
        read_image(picture(tmp_path / "empty.png", grey, (300, 200)), DIGITS)


def test_other_models_get_the_whole_picture(tmp_path: Path) -> None:
    path = picture(tmp_path / "colour.png", 51, (300, 200), "RGB")
    colour = read_image(path, Shape(3, 32, 16, 4))
    assert colour.shape == (3, 32, 16)
    assert colour.mean((1, 2)).tolist() == pytest.approx([0.2, 0, 1])
    grey = read_image(path, Shape(1, 32, 16, 4), digits=False)
    assert grey.shape == (1, 32, 16)
    assert grey.std() == 0
