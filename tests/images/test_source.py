"""Sources: batches as pure functions, splits that do not leak, test sets that never change."""

import hashlib
import os
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.errors import InputError
from saccade.images.canvas import CanvasConfig
from saccade.images.config import ImageData
from saccade.images.digits import TEST, load_digits
from saccade.images.picture_files import Images
from saccade.images.source import ImageSource, black_and_white, held_out_canvases, load_images
from saccade.recurrent.tree import take

MNIST = os.environ.get("SACCADE_DATA")
needs_mnist = pytest.mark.skipif(MNIST is None, reason="SACCADE_DATA names no folder that holds MNIST")


def numbered(count: int, first: int = 0, side: int = 28) -> Images:
    """Images whose every pixel holds the image's own number (1 to 255), as its label does."""
    labels = torch.arange(first, first + count)
    return Images((labels % 255 + 1).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, side, side).contiguous(), labels)


def source(seed: int = 0, **options: Any) -> ImageSource:
    classes = tuple(str(label) for label in range(240))
    return ImageSource(numbered(200), numbered(40, first=200), classes, seed, **options)


def greys(images: torch.Tensor) -> list[int]:
    """The grey levels, 0 to 255, that occur."""
    return (images * 255).round().int().flatten().bincount().nonzero()[:, 0].tolist()


SCENES: dict[str, dict[str, Any]] = {
    "plain": {},
    "shift": {"shift": 2},
    "clutter": {"canvas": CanvasConfig(40, 3, 8)},
    "split": {"validation": 50},
    "pairs": {"canvas": CanvasConfig(40, 0, 8, pair=True)},
    "black and white canvases": {"canvas": CanvasConfig(40, 3, 8), "binarise": "fixed"},
}


@pytest.mark.parametrize("options", SCENES.values(), ids=SCENES)
def test_batches_are_pure_functions(options: dict[str, Any]) -> None:
    first, second = source(5, **options), source(5, **options)
    order = [0, 7, 3, 2_000_000, 3]
    batches = {step: first.batch(step, 32) for step in order}
    for step in sorted(order):
        again = second.batch(step, 32)
        assert torch.equal(again.images, batches[step].images)
        assert torch.equal(again.labels, batches[step].labels)
    for other in (first.batch(4, 32), source(6, **options).batch(3, 32)):
        assert not torch.equal(other.images, batches[3].images)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("options", SCENES.values(), ids=SCENES)
def test_batches_are_the_same_on_a_gpu(options: dict[str, Any]) -> None:
    here, there = source(5, **options), source(5, device="cuda", **options)
    for mine, its in ((here.batch(3, 32), there.batch(3, 32)), (here.held_out("test"), there.held_out("test"))):
        assert its.images.is_cuda
        assert torch.equal(its.labels.cpu(), mine.labels)
        assert torch.equal((its.images * 255).round().cpu(), (mine.images * 255).round())  # division may round apart


@pytest.mark.parametrize("options", SCENES.values(), ids=SCENES)
def test_batches_are_floats_in_zero_one(options: dict[str, Any]) -> None:
    data = source(**options)
    images, labels, _ = data.batch(0, 8)
    assert images.shape == (8, *data.facts.shape[:3])
    assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
    assert images.is_contiguous()
    assert images.min() >= 0
    assert images.max() <= 1


@given(st.integers(0, 2**40), st.integers(0, 1000), st.sampled_from([1, 7, 30, 100, 150]))
@settings(deadline=None, max_examples=25)
def test_an_epoch_shows_no_example_twice(seed: int, epoch: int, batch_size: int) -> None:
    data = source(seed, validation=50)
    batches = data.examples // batch_size
    seen = torch.cat([data.batch(epoch * batches + index, batch_size).labels for index in range(batches)])
    assert len(seen.unique()) == len(seen) == batches * batch_size
    held = data.held_out("validation").labels
    assert len(held) == 50
    assert not torch.isin(seen, held).any()
    if 150 % batch_size == 0:  # every example, once
        assert torch.equal(torch.cat([seen, held]).sort().values, torch.arange(200))


def test_epochs_are_shuffled_anew() -> None:
    data = source()
    assert not torch.equal(data.batch(0, 200).labels, data.batch(1, 200).labels)
    assert not torch.equal(data.batch(0, 200).labels, torch.arange(200))


def test_images_keep_their_labels() -> None:
    for options in (SCENES["plain"], SCENES["shift"], SCENES["clutter"], SCENES["split"]):
        data = source(**options)
        for images, labels, _ in (data.batch(3, 20), take(data.held_out("test"), slice(0, 40))):
            pixels = (images * 255).round().long()
            if "canvas" in options:  # a piece may add to a pixel; the digit's own value is the commonest of the others
                value = torch.stack([image[image > 0].mode().values for image in pixels])
            else:
                value = pixels.amax((1, 2, 3))
            assert torch.equal(value, labels % 255 + 1)


def test_shift_moves_by_every_amount_and_only_in_training() -> None:
    data = source(shift=2)
    images = data.batch(0, 200).images > 0
    down = images.any(3)[:, 0].float().argmax(1) - (~images.any(3)[:, 0].flip(1)).float().argmin(1)
    assert down.unique().tolist() == [-2, -1, 0, 1, 2]
    assert (data.held_out("test").images > 0).all()


def test_validation_follows_the_seed_and_test_does_not() -> None:
    one, other = source(1, validation=50), source(2, validation=50)
    assert not torch.equal(one.held_out("validation").labels, other.held_out("validation").labels)
    assert torch.equal(one.held_out("test").labels, other.held_out("test").labels)


def test_canvases_mix_no_training_and_held_out_digits() -> None:
    """Training images are 1 all over, held-out ones 16: every sum tells what it is made of."""
    canvas, held = CanvasConfig(30, 4, 8), source(validation=20).held_out("validation").labels
    train = numbered(200)
    train.pixels.fill_(1)[held] = 16
    data = ImageSource(train, numbered(10), ("a",) * 200, 0, validation=20, canvas=canvas)
    images, labels, _ = data.held_out("validation")
    assert len(images) == 10_000
    assert torch.equal(labels.unique(), held)
    assert labels.bincount().max() == 500  # each of the 20 digits as often
    assert set(greys(images)) <= {0, 16, 32, 48, 64, 80}
    for step in range(10):
        assert set(greys(data.batch(step, 180).images)) <= {0, 1, 2, 3, 4, 5}


def test_bad_requests() -> None:
    with pytest.raises(InputError, match="at most the 200 training images, found a batch of 201"):
        source().batch(0, 201)
    with pytest.raises(InputError, match=r"none held out; .*--validation"):
        source().held_out("validation")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"validation": 200}, "0 to 199 validation images of 200, found 200"),
        ({"validation": -1}, "found -1; change --validation"),
        ({"shift": -1}, "a shift of 0 to 27 pixels .*found -1"),
        ({"shift": 28}, "found 28; change --shift"),
        ({"canvas": CanvasConfig(27, 0, 8)}, "a canvas of at least 28 pixels, found 27"),
        ({"canvas": CanvasConfig(40, 4, 29)}, "pieces of 1 to 28 pixels, found 29"),
        ({"canvas": CanvasConfig(40, -1, 8)}, "0 pieces or more, found -1"),
    ],
)
def test_numbers_that_do_not_fit_the_images(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        source(**options)


def test_unknown_dataset() -> None:
    config = ImageData()
    for name in ("mnits", "folder:", ""):
        object.__setattr__(config, "dataset", name)  # as if it had come past the config's own check
        with pytest.raises(InputError, match="digits, mnist, translated, cluttered, pairs or folder:PATH"):
            load_images(config, 0)


def test_embedded_digits_are_framed_like_mnists() -> None:
    train, test = load_digits()
    assert train.pixels.shape == (1797 - TEST, 1, 28, 28)
    assert test.pixels.shape == (TEST, 1, 28, 28)
    pixels = torch.cat([train.pixels, test.pixels])
    border = torch.ones(28, 28, dtype=torch.bool)
    border[4:24, 4:24] = False
    assert (pixels[:, 0, border] == 0).all()
    assert pixels[:, 0, 4:24, 4:24].amax((1, 2)).min() > 230
    assert 0.1 < pixels.float().mean() / 255 < 0.2  # MNIST's: 0.13
    assert test.labels.bincount().min() >= 38
    assert len(torch.cat([train.labels, test.labels])) == 1797


def test_embedded_digits_test_set_is_the_same_for_every_seed() -> None:
    one, other = load_images(ImageData(), 0), load_images(ImageData(validation=100), 1)
    assert torch.equal(one.held_out("test").images, other.held_out("test").images)
    rows = {image.numpy().tobytes() for image in one.held_out("test").images}
    assert not any(image.numpy().tobytes() in rows for image in one.batch(0, one.examples).images)


def test_load_lays_out_the_canvas(tmp_path: Path) -> None:
    for stem, count in (("train", 30), ("t10k", 20)):
        images, labels = np.full((count, 28, 28), 9, np.uint8), np.arange(count, dtype=np.uint8) % 10
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (tmp_path / f"{stem}-{kind}-ubyte").write_bytes(header + array.tobytes())
    for dataset, most in (("translated", 784), ("cluttered", 784 + 4 * 64)):
        data = load_images(ImageData(dataset=dataset, data_dir=str(tmp_path), canvas=50), 0)
        assert data.facts.shape == (1, 50, 50, 10)
        total = (data.batch(0, 30).images * 255 / 9).sum((1, 2, 3)).round().int().unique().tolist()
        assert total == [most]
    assert load_images(ImageData(dataset="mnist", data_dir=str(tmp_path)), 0).facts.shape == (1, 28, 28, 10)
    pairs = load_images(ImageData(dataset="pairs", data_dir=str(tmp_path), canvas=60), 0)
    assert pairs.facts.shape == (1, 60, 60, 55)
    assert pairs.facts.classes[:4] == ("00", "01", "11", "02")
    assert (pairs.batch(0, 30).images * 255 / 9).sum((1, 2, 3)).round().int().unique().tolist() == [2 * 784]


def test_pairs_mix_no_training_and_held_out_digits() -> None:
    """As above: an image of one set is 1 all over, of the other 16."""
    canvas, held = CanvasConfig(30, 0, 8, pair=True), source(validation=20).held_out("validation").labels
    train = numbered(200)
    train.pixels.fill_(1)[held] = 16
    data = ImageSource(train, numbered(10), ("a",) * 200, 0, validation=20, canvas=canvas)
    assert set(greys(data.held_out("validation").images)) <= {0, 16, 32}
    assert set(greys(data.batch(0, 180).images)) <= {0, 1, 2}


def test_canvases_are_binarised_whole_and_anew_in_training() -> None:
    """Each pixel of a canvas is white with its own grey level as probability, where digits overlap too."""
    images = Images(torch.full((50, 1, 28, 28), 60, dtype=torch.uint8), torch.zeros(50, dtype=torch.int64))
    data = {
        kind: ImageSource(images, images, ("00",), 0, canvas=CanvasConfig(28, 0, 8, pair=True), binarise=kind)
        for kind in ("fixed", "dynamic")
    }
    for drawn in (data["fixed"].held_out("test").images[:500], data["fixed"].batch(0, 50).images):
        assert drawn.unique().tolist() == [0, 1]
        assert drawn.mean().item() == pytest.approx(120 / 255, abs=0.01)
    assert torch.equal(data["fixed"].held_out("test").images, data["dynamic"].held_out("test").images)
    assert torch.equal(data["fixed"].batch(3, 50).images, data["dynamic"].batch(3, 50).images)
    assert not torch.equal(data["fixed"].batch(3, 50).images, data["fixed"].batch(4, 50).images)


@needs_mnist
@pytest.mark.parametrize(
    ("canvas", "digest"),
    [
        (CanvasConfig(60, 4, 8), "3944ac73cfe529f5dd4fbc1863da5d655b4c063ee75e03a96fa0904b20a048e9"),
        (CanvasConfig(60, 0, 8), "5dd93864966bd2a521993800dc2b6f21fa71ac30ee50da8645e8f47864c6dd8f"),
        (CanvasConfig(100, 8, 8), "5c328e431bb148cf4b120294a770dfc2863f6d330a51eb19927313c3121f8405"),
        (CanvasConfig(60, 0, 8, pair=True), "c1d608cd7d148af6ba888086b5ca4760e3ef0675f1d0732437a2979641fe98c7"),
    ],
)
def test_frozen_test_sets(canvas: CanvasConfig, digest: str) -> None:
    """Numbers compare only on the same test images: these sums are for good."""
    from saccade.images.mnist import load_mnist

    pixels, labels = held_out_canvases(load_mnist(None)[1], canvas, "test")
    assert len(labels) == 10_000
    assert hashlib.sha256(pixels.numpy().tobytes() + labels.numpy().tobytes()).hexdigest() == digest


@needs_mnist
def test_the_black_and_white_pairs_are_what_they_were() -> None:
    source = load_images(ImageData(dataset="pairs", binarise="fixed"), seed=0)
    pixels, labels, _ = source.held_out("test")
    assert pixels.shape == (10_000, 1, 60, 60)
    digest = hashlib.sha256(pixels.to(torch.uint8).numpy().tobytes() + labels.numpy().tobytes()).hexdigest()
    assert digest == "1bb73456300e38b1ce8792659b8964d1402fa8199c8d43e83dc56a0bd6b18b0d"


@needs_mnist
@pytest.mark.bench
@pytest.mark.parametrize(
    ("dataset", "shift", "at_least"),
    [("mnist", 1, 256_000), ("translated", 0, 150_000), ("cluttered", 0, 150_000), ("pairs", 0, 75_000)],
)
def test_images_a_second_on_one_core(dataset: str, shift: int, at_least: int) -> None:
    """60x60 canvases and shifted MNIST, float batches of 256 and all; the best of many, for the machine is shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        data = load_images(ImageData(dataset=dataset, shift=shift), 0)
        times = []
        for step in range(100):
            start = time.perf_counter()
            data.batch(step, 256)
            times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    print(f"{dataset}: {256 / min(times):,.0f} images/s, median {256 / np.median(times):,.0f}")
    assert 256 / min(times) >= at_least


def grey(count: int = 600) -> Images:
    """Images of one grey level each, 0 ... 255, over and over."""
    levels = (torch.arange(count) % 256).to(torch.uint8)
    return Images(levels[:, None, None, None].expand(-1, 1, 28, 28).contiguous(), torch.zeros(count, dtype=torch.int64))


def test_binarised_pixels_are_white_with_their_grey_level_as_probability() -> None:
    found = black_and_white(grey(256 * 8), "train").pixels
    assert set(found.unique().tolist()) == {0, 255}
    share = found.view(8, 256, -1).float().div(255).mean((0, 2))
    torch.testing.assert_close(share, torch.arange(256) / 255, atol=0.03, rtol=0)
    assert (share[0], share[255]) == (0, 1)


def test_fixed_binarisation_never_changes_and_dynamic_does_for_training_alone() -> None:
    images = grey()
    fixed = ImageSource(images, images, ("0",), 3, validation=100, binarise="fixed")
    dynamic = ImageSource(images, images, ("0",), 3, validation=100, binarise="dynamic")
    other_seed = ImageSource(images, images, ("0",), 4, binarise="fixed")
    for source in (fixed, dynamic):
        assert set(source.batch(0, 50).images.unique().tolist()) == {0, 1}
        assert torch.equal(source.held_out("test").images, other_seed.held_out("test").images)
    assert torch.equal(fixed.held_out("validation").images, dynamic.held_out("validation").images)
    whole = [source.batch(step, 500) for source in (fixed, dynamic) for step in (0, 1)]
    order = [batch.images.flatten(1).mean(1).sort().values for batch in whole]
    assert torch.equal(order[0], order[1])  # the same drawing of the same images in two epochs
    assert not torch.equal(order[2], order[3])
    assert torch.equal(dynamic.batch(1, 500).images, whole[3].images)


def test_binarised_mnist_is_what_it_was(mnist: Path) -> None:
    source = load_images(ImageData(dataset="mnist", data_dir=str(mnist), binarise="fixed", validation=10_000), seed=0)
    assert source.examples == 50_000
    test = source.held_out("test").images
    assert len(test) == len(source.held_out("validation").images) == 10_000
    digest = hashlib.sha256(test.to(torch.uint8).numpy().tobytes()).hexdigest()
    assert digest == "1da674728ceb3cd6a198646054421e42327f6f2a36727e8c687b10900e2e9ef4"


def test_distortion_is_a_function_of_seed_and_step_and_only_in_training() -> None:
    first, again = source(distort=0.5), source(distort=0.5)
    again.batch(3, 8)
    torch.testing.assert_close(first.batch(5, 8).images, again.batch(5, 8).images, rtol=0, atol=0)
    assert not torch.equal(first.batch(5, 8).images, source().batch(5, 8).images)
    torch.testing.assert_close(first.held_out("test").images, source().held_out("test").images, rtol=0, atol=0)


@pytest.mark.parametrize("options", [{"canvas": CanvasConfig(60, 0, 8)}, {"binarise": "fixed"}])
def test_what_cannot_be_distorted_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="single grey images to distort"):
        source(distort=0.5, **options)
