"""Pictures with a text each, from a user's own folder: house numbers, meter readings, price tags.

PATH/labels.txt has a line for each picture: its file, a tab, and its text. With PATH/train and PATH/test, each with a
labels.txt, those are the two sets; without, a fifth, selected by a fixed seed, is for testing. Pictures of any size are
scaled to the canvas with their aspect kept, in the middle of their own border's colour.
"""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from saccade.dram.config import SequenceData, SequenceFacts
from saccade.dram.source import SequenceBatch, padded_targets
from saccade.errors import InputError, shown
from saccade.images.class_folders import LIMIT, TEST_SHARE
from saccade.images.picture_files import decode, is_grey, open_image
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import permutation
from saccade.recurrent.tree import take

LABELS = "labels.txt"
LONGEST = 20
"""Most symbols in a text."""

Labelled = list[tuple[Path, str]]


class FolderSource:
    """Pictures of a folder, shuffled every epoch; held-out sets that never change."""

    def __init__(
        self, train: SequenceBatch, test: SequenceBatch, facts: SequenceFacts, validation: int, seed: int
    ) -> None:
        if not 0 <= validation < len(train.number):
            expected = f"0 to {len(train.number) - 1} validation pictures of {len(train.number)}"
            raise InputError(expected, str(validation), "change --validation")
        order = permutation(seed, "validation split", 0, len(train.number))
        self._train = take(train, order[validation:].sort().values)
        self._held = {"validation": take(train, order[:validation].sort().values), "test": test}
        self._seed, self.facts = seed, facts
        self.examples = len(self._train.number)

    @property
    def device(self) -> torch.device:
        """The device of the pictures."""
        return self._train.images.device

    def batch(self, step: int, size: int) -> SequenceBatch:
        """Return training batch number `step`; an epoch has examples // size batches.

        Raises:
            InputError: the batch is larger than the training set.
        """
        batches = self.examples // size
        if batches == 0:
            found = f"a batch of {size}"
            raise InputError(f"at most the {self.examples} training pictures", found, "lower --batch-size")
        epoch, index = divmod(step, batches)
        order = permutation(self._seed, "epoch", epoch, self.examples)
        return take(self._train, order[index * size : (index + 1) * size].to(self.device))

    def held_out(self, split: Split) -> SequenceBatch:
        """Return a whole held-out set.

        Raises:
            InputError: no validation pictures were held out.
        """
        if len(self._held[split].number) == 0:
            raise InputError("validation pictures", "none held out", "train with --validation, e.g. --validation 100")
        return self._held[split]


def load_text_folder(data: SequenceData, seed: int, device: torch.device) -> FolderSource:
    """Load the pictures of a folder and their texts.

    Raises:
        InputError: no labels.txt, a line that is none, a picture that is missing or damaged, a symbol that only test
            pictures have, a text that is empty or too long.
    """
    root = Path(os.path.expanduser(data.folder or ""))
    if (root / "train").is_dir() and (root / "test").is_dir():
        train, test = _labels(root / "train"), _labels(root / "test")
    else:
        train, test = _split(_labels(root), root)
    classes = tuple(sorted({symbol for _, text in train for symbol in text}))
    unseen = sorted({symbol for _, text in test for symbol in text} - set(classes))
    if unseen:
        raise InputError(
            "symbols that training pictures have", f"{shown(unseen[0])} in test pictures alone", "add some"
        )
    lengths = [len(text) for _, text in [*train, *test]]
    channels = _channels([file for file, _ in [*train, *test]])
    if len(lengths) * channels * data.canvas**2 > LIMIT:
        found = f"{len(lengths)} of {data.canvas} x {data.canvas}"
        raise InputError(f"pictures that fill at most {LIMIT >> 30} GiB together", found, "lower --canvas")
    facts = SequenceFacts(channels, data.canvas, data.canvas, classes, min(lengths), max(lengths))
    read = _read(train, facts, device), _read(test, facts, device)
    return FolderSource(read[0], read[1], facts, data.validation, seed)


def _labels(folder: Path) -> Labelled:
    """Return the pictures of a folder and their texts, in the order of its labels.txt."""
    file = folder / LABELS
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        do = "write a line for each picture: its file, a tab, its text"
        raise InputError(f"{LABELS} in {folder}", "none" if folder.is_dir() else "no such folder", do) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} as UTF-8 text", type(error).__name__, "save it again") from None
    found: Labelled = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, tab, text = line.partition("\t")
        text = text.strip()
        if not tab or not name.strip() or not text or len(text) > LONGEST or not text.isprintable():
            expected = f"a file, a tab and a text of 1 to {LONGEST} symbols in line {number} of {file}"
            raise InputError(expected, shown(line), "correct the line")
        picture = folder / name.strip()
        if not picture.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"pictures inside {folder}", f"{shown(name)} in line {number}", "move it there")
        found.append((picture, text))
    if not found:
        raise InputError(f"pictures in {file}", "an empty list", "add a line for each picture")
    return found


def _split(labelled: Labelled, root: Path) -> tuple[Labelled, Labelled]:
    """Split pictures into training and test ones, by a fixed seed."""
    if len(labelled) < 5:
        raise InputError(
            f"at least 5 pictures in {root / LABELS}", str(len(labelled)), "add some: a fifth is for testing"
        )
    order = permutation(0, "test split of texts", 0, len(labelled)).tolist()
    held = set(order[: round(TEST_SHARE * len(labelled))])
    train = [one for index, one in enumerate(labelled) if index not in held]
    return train, [one for index, one in enumerate(labelled) if index in held]


def _channels(files: list[Path]) -> int:
    """Return 1 if every picture is grey, else 3."""
    for file in files:
        with open_image(file) as image:
            if not is_grey(image):
                return 3
    return 1


def fitted(pixels: np.ndarray, side: int) -> np.ndarray:
    """Scale a picture, uint8 [H, W] or [H, W, 3], into a square of `side` pixels, its aspect kept, on its border's
    colour."""
    height, width = pixels.shape[:2]
    factor = side / max(height, width)
    down, across = max(1, round(height * factor)), max(1, round(width * factor))
    small = np.asarray(Image.fromarray(pixels).resize((across, down), Image.Resampling.BOX if factor < 1 else 3))
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    field = np.empty((side, side, *pixels.shape[2:]), np.uint8)
    field[:] = np.median(border, axis=0).astype(np.uint8)
    top, left = (side - down) // 2, (side - across) // 2
    field[top : top + down, left : left + across] = small
    return field


def _read(labelled: Labelled, facts: SequenceFacts, device: torch.device) -> SequenceBatch:
    """Read pictures and texts."""
    images = np.empty((len(labelled), facts.height, facts.width, facts.channels), np.uint8)
    labels, count = torch.zeros(len(labelled), facts.longest, dtype=torch.int64), []
    for row, (file, text) in enumerate(labelled):
        with open_image(file) as image:
            pixels = decode(image, file, "L" if facts.channels == 1 else "RGB")
        images[row] = fitted(pixels, facts.height).reshape(facts.height, facts.width, facts.channels)
        labels[row, : len(text)] = torch.tensor([facts.classes.index(symbol) for symbol in text])
        count.append(len(text))
    counts = torch.tensor(count)
    pictures = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    places: Tensor = torch.full((len(labelled), facts.longest, 2), torch.nan)
    targets = padded_targets(labels, counts, len(facts.classes))
    return SequenceBatch(*(leaf.to(device) for leaf in (pictures, targets, counts, places)))
