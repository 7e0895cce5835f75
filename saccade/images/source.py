"""Batches of images, as pure functions of (seed, step, batch size): a resumed run sees what an unbroken one saw.

All images of a source are one uint8 tensor [N, C, H, W] on the device.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.images.canvas import CanvasConfig, compose, pair_names, places, shifted
from saccade.images.class_folders import load_folder
from saccade.images.config import DATASETS, ON_CANVASES, ImageData, ImageFacts
from saccade.images.digits import load_digits
from saccade.images.distortion import distorted, random_distortion
from saccade.images.mnist import SIDE, load_mnist
from saccade.images.picture_files import Images
from saccade.images.source_settings import check_distort, check_settings
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import integers, permutation

HELD_OUT_CANVASES = 10_000
"""Number of canvases in a held-out set of `translated`, `cluttered` or `pairs`."""


class ImageBatch(NamedTuple):
    """Images float32 [B, C, H, W] in [0, 1], labels int64 [B] (below 0: unknown), and the digits' places, if known."""

    images: Tensor
    labels: Tensor
    places: Tensor | None = None
    """Middle (x, y) of each digit, image coordinates in [-1, 1] [B, 2]."""


class ImageSource:
    """The images of one run: shuffled batches to train on, and held-out sets that never change."""

    def __init__(
        self,
        train: Images,
        test: Images,
        classes: tuple[str, ...],
        seed: int,
        *,
        validation: int = 0,
        shift: int = 0,
        distort: float = 0.0,
        canvas: CanvasConfig | None = None,
        binarise: Literal["none", "fixed", "dynamic"] = "none",
        device: torch.device | str = "cpu",
    ) -> None:
        check_settings(train, validation, shift, canvas)
        check_distort(distort, canvas, binarise)
        order = permutation(seed, "validation split", 0, len(train.labels))
        self._binarised, every_batch = binarise != "none", binarise == "dynamic" or canvas is not None
        fixed = train
        if self._binarised and canvas is None:
            fixed, test = black_and_white(train, "train"), black_and_white(test, "test")
        self._train = _take(train if every_batch else fixed, order[validation:].sort().values, device)
        self._held = {"validation": _take(fixed, order[:validation].sort().values, device), "test": _to(test, device)}
        self._binarise_every_batch = self._binarised and every_batch
        self._seed, self._shift, self._distort, self._canvas = seed, shift, distort, canvas
        channels, height, width = train.pixels.shape[1:] if canvas is None else (1, canvas.size, canvas.size)
        self.facts = ImageFacts(channels, height, width, classes)
        self.examples = len(self._train.labels)
        self._epoch: tuple[int, Tensor] = (-1, torch.empty(0))

    def batch(self, step: int, size: int) -> ImageBatch:
        """Return training batch number `step`; an epoch has examples // size batches, each example in one at most.

        Raises:
            InputError: the batch is larger than the training set.
        """
        batches = self.examples // size
        if batches == 0:
            found = f"a batch of {size}"
            raise InputError(f"at most the {self.examples} training images", found, "lower --batch-size")
        epoch, index = divmod(step, batches)
        chosen = self._order(epoch)[index * size : (index + 1) * size]
        pixels, labels = self._images(chosen, step)
        if self._distort:
            pixels = distorted(pixels, random_distortion(size, self._distort, self._seed, step))
        if self._shift:
            moved = integers(self._seed, "shift", step, size, [2 * self._shift + 1] * 2).to(pixels.device)
            down, right = (moved - self._shift).unbind(1)
            pixels = shifted(pixels, down, right, self._shift)
        if self._binarise_every_batch:
            pixels = binarised(pixels, self._seed, "binarise", step)
        return ImageBatch(_float(pixels), labels, self._places(chosen, step))

    def stored(self, size: int = 1000) -> Iterator[ImageBatch]:
        """Yield all training images once, in storage order and without augmentation, `size` at a time.

        Raises:
            InputError: the dataset makes new canvases for every batch.
        """
        if self._canvas is not None:
            do = "use a dataset of fixed images: digits, mnist or folder:PATH"
            raise InputError("a fixed set of training images", "new canvases for every batch", do)
        for pixels, labels in zip(self._train.pixels.split(size), self._train.labels.split(size), strict=True):
            yield ImageBatch(_float(pixels), labels)

    @property
    def device(self) -> torch.device:
        """The device of the images."""
        return self._train.pixels.device

    def held_out(self, split: Split) -> ImageBatch:
        """Return a whole held-out set, made of images that no training batch holds.

        For `translated`, `cluttered` and `pairs`: 10,000 canvases, composed with a fixed seed from the held-out
        digits alone.

        Raises:
            InputError: no validation images were held out.
        """
        images = self._held[split]
        if len(images.labels) == 0:
            raise InputError("validation images", "none held out", "train with --validation, e.g. --validation 5000")
        if self._canvas is not None:
            middles = None if self._canvas.pair else held_out_places(images, self._canvas, split)
            images = held_out_canvases(images, self._canvas, split)
            images = black_and_white(images, f"{split} canvases") if self._binarised else images
            return ImageBatch(_float(images.pixels), images.labels, middles)
        return ImageBatch(_float(images.pixels), images.labels)

    def _images(self, chosen: Tensor, step: int) -> Images:
        if self._canvas is not None:
            return compose(self._train, chosen, self._canvas, self._seed, "canvas", step)
        return Images(*(part.index_select(0, chosen) for part in self._train))

    def _places(self, chosen: Tensor, step: int) -> Tensor | None:
        """Return the places of a training batch's digits: known on canvases with one digit each."""
        if self._canvas is None or self._canvas.pair or self._shift:
            return None
        return places(self._train, chosen, self._canvas, self._seed, "canvas", step)

    def _order(self, epoch: int) -> Tensor:
        known, order = self._epoch  # taken once: another thread may ask for another epoch meanwhile
        if known != epoch:
            order = permutation(self._seed, "epoch", epoch, self.examples).to(self._train.pixels.device)
            self._epoch = (epoch, order)
        return order


def held_out_canvases(images: Images, canvas: CanvasConfig, split: Split, count: int = HELD_OUT_CANVASES) -> Images:
    """Compose canvases uint8 [count, 1, size, size] from held-out images, the same in every run.

    Canvas i shows image i (of a pair, as its first digit).
    """
    chunks, labels = [], []
    for start, chosen in _thousands(images, count):
        made = compose(images, chosen, canvas, 0, f"frozen {split}", start)
        chunks.append(made.pixels.to(torch.uint8))
        labels.append(made.labels)
    return Images(torch.cat(chunks), torch.cat(labels))


def held_out_places(images: Images, canvas: CanvasConfig, split: Split, count: int = HELD_OUT_CANVASES) -> Tensor:
    """Return the places of the digits on the `held_out_canvases`, as `canvas.places` gives them [count, 2]."""
    parts = _thousands(images, count)
    return torch.cat([places(images, chosen, canvas, 0, f"frozen {split}", start) for start, chosen in parts])


def _thousands(images: Images, count: int) -> Iterator[tuple[int, Tensor]]:
    """Yield the images that the held-out canvases show, a thousand at a time, with the number of each part's first."""
    for start in range(0, count, 1000):
        yield start, torch.arange(start, min(start + 1000, count), device=images.labels.device) % len(images.labels)


def binarised(pixels: Tensor, seed: int, purpose: str, step: int) -> Tensor:
    """Set every pixel to 255 with probability grey level / 255, else to 0."""
    drawn = integers(seed, purpose, step, pixels.numel(), [255]).view(pixels.shape).to(pixels.device)
    return (drawn < pixels).to(torch.uint8) * 255


def black_and_white(images: Images, name: str) -> Images:
    """Binarise a whole set with a fixed seed: the same in every run."""
    made = [binarised(chunk, 0, f"binarised {name}", i) for i, chunk in enumerate(images.pixels.split(1000))]
    return Images(torch.cat(made), images.labels)


def load_images(config: ImageData, seed: int, device: torch.device | str = "cpu") -> ImageSource:
    """Load the source that a config names.

    Raises:
        InputError: an unknown dataset, a missing, damaged or unfit file, a split that leaves nothing; or `binarise` is
            "auto", which the system must replace first.
    """
    if config.binarise == "auto":
        raise InputError("binarise none, fixed or dynamic", "'auto'", "choose one of them")
    canvas = _canvas(config) if config.dataset in ON_CANVASES else None
    name, _, path = config.dataset.partition(":")
    classes = tuple(str(digit) for digit in range(10))
    if name == "folder" and path:
        train, test, classes = load_folder(path)
    elif config.dataset == "digits" or (config.dataset in ON_CANVASES and config.pool == "digits"):
        train, test = load_digits()
    elif config.dataset == "mnist" or config.dataset in ON_CANVASES:
        train, test = load_mnist(config.data_dir)
    else:
        raise InputError(f"a dataset: {', '.join(DATASETS)} or folder:PATH", repr(config.dataset), "name one of them")
    if canvas and canvas.pair:
        classes = pair_names(classes)
    return ImageSource(
        train,
        test,
        classes,
        seed,
        validation=config.validation,
        shift=config.shift,
        distort=config.distort,
        canvas=canvas,
        binarise=config.binarise,
        device=device,
    )


def _canvas(config: ImageData) -> CanvasConfig:
    """Return the canvases of a dataset of digits on canvases."""
    pieces, pair = config.pieces if config.dataset == "cluttered" else 0, config.dataset == "pairs"
    sides = None if config.smallest == config.largest == SIDE else (config.smallest, config.largest)
    return CanvasConfig(config.canvas, pieces, config.piece_size, pair, sides)


def _float(pixels: Tensor) -> Tensor:
    """Convert pixel values 0 ... 255 to float32 in [0, 1]."""
    return pixels.to(torch.float32).div_(255)


def _take(images: Images, rows: Tensor, device: torch.device | str) -> Images:
    return _to(Images(images.pixels[rows], images.labels[rows]), device)


def _to(images: Images, device: torch.device | str) -> Images:
    return Images(images.pixels.to(device).contiguous(), images.labels.to(device))
