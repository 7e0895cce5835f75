"""A trained DRAM in Python: read numbers, see where it looked and why it stopped, and how far to believe it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from PIL import Image
from torch import Tensor

from saccade.dram.answers import answers
from saccade.dram.config import Config, SequenceFacts
from saccade.dram.pictures import COUNT, DOUBTS, NO_INK, TOO_MANY, UNCERTAIN, Given, Prepared, prepare, training_height
from saccade.dram.source import UNKNOWN, SequenceBatch
from saccade.dram.trace import Reading
from saccade.errors import InputError
from saccade.pipeline.contract import Trace
from saccade.pipeline.device import own_device
from saccade.pipeline.progress import track
from saccade.pipeline.trained import Trained
from saccade.recurrent.sequence import lengths_until
from saccade.recurrent.tree import map_tensors, take

SURE = 0.7
"""Probability that each symbol of an answer needs, to be sure."""


class ReadBatch(NamedTuple):
    """A user's pictures, and what is wrong with them."""

    images: UInt8[Tensor, "B C H W"]
    targets: Int64[Tensor, "B S"]
    number: Int64[Tensor, " B"]
    places: Float[Tensor, "B L 2"]
    doubt: Int64[Tensor, " B"]
    """Index in `DOUBTS`."""


class TextReading(NamedTuple):
    """An answer to one picture."""

    text: str
    """The symbols, in the order in which they were read."""
    probabilities: list[float]
    """Probability of each symbol."""
    spent: int
    """Glimpses until it stopped."""
    stopped: bool
    """True if it stopped by itself; False if its glimpses were used up."""
    gaze: list[tuple[float, float]]
    """Locations of the glimpses, (x, y) in [-1, 1]."""
    truth: str | None = None
    """The true text; None if unknown."""
    doubt: str | None = None
    """Why the answer should not be believed; None if nothing speaks against it."""


class Reader(Trained[Config, SequenceBatch, SequenceFacts]):
    """A trained DRAM."""

    def read(self, pictures: Given | Sequence[Given], condition: str | None = None) -> list[TextReading]:
        """Read pictures of numbers: the text, the probability of each symbol, the gaze, the doubt.

        Args:
            pictures: paths, PIL images or arrays; of any size.
            condition: choice of the locations, e.g. "random"; by default the policy's mean.

        Raises:
            InputError: pictures that cannot be read; none at all.
        """
        return readings(self.trace(pictures, condition))

    def look(self, batch: SequenceBatch, condition: str | None = None) -> Trace:
        """Run it on a batch, under one of its conditions; the trace ends where the last picture is finished."""
        trace = super().look(batch, condition)
        last = int(lengths_until(trace.outputs.stops).max())
        episode = trace.episode._replace(inputs=take(trace.episode.inputs, slice(last)))
        return trace._replace(outputs=take(trace.outputs, slice(last)), episode=episode)

    def trace(self, pictures: Given | Sequence[Given], condition: str | None = None) -> Trace:
        """Run it on a user's pictures; its batch is a `ReadBatch`. Arguments and errors as `read`."""
        given = [pictures] if isinstance(pictures, str | Path | Image.Image | np.ndarray) else list(pictures)
        if not given:
            raise InputError("one picture or more", "none", "give at least one")
        data, facts = self.run.data, self.facts
        height, digits = training_height(data.smallest, data.largest), data.folder is None
        prepared = [
            prepare(_checked(one), facts, digits=digits, height=height)
            for one in track(given, "reading the pictures", len(given))
        ]
        size = len(prepared)
        batch = SequenceBatch(
            torch.stack([one.image for one in prepared]),
            torch.full((size, facts.longest + 1), UNKNOWN),
            torch.zeros(size, dtype=torch.int64),
            torch.full((size, facts.longest, 2), torch.nan),
        )
        trace = self.look(map_tensors(lambda leaf: leaf.to(own_device()), batch), condition)
        doubt = [_doubt(one, reading) for one, reading in zip(prepared, readings(trace), strict=True)]
        return trace._replace(batch=ReadBatch(*batch, torch.tensor([DOUBTS.index(one) for one in doubt])))


def _checked(picture: Given) -> Given:
    """Check an array's type and shape.

    Raises:
        InputError: another type or shape.
    """
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or not (picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 3)):
            found = f"{picture.dtype} {list(picture.shape)}"
            raise InputError("an array of uint8, [H, W] or [H, W, 3]", found, "convert it")
        if 0 in picture.shape:
            raise InputError("an array with pixels", str(list(picture.shape)), "give a picture")
    elif not isinstance(picture, str | Path | Image.Image):
        raise InputError("a path, a PIL image or a NumPy array", type(picture).__name__, "convert it")
    return picture


def _doubt(one: Prepared, reading: TextReading) -> str | None:
    """Return why an answer should not be believed; None if nothing speaks against it."""
    if one.doubt:
        return one.doubt
    if not reading.text:
        return NO_INK
    if one.marks > len(reading.text) and not reading.stopped:
        return TOO_MANY
    if one.marks not in (-1, len(reading.text)):
        return COUNT
    return UNCERTAIN if min(reading.probabilities) < SURE else None


def glimpses_of(outputs: Reading) -> int:
    """Return the number of glimpses for each object."""
    return int(outputs.answers[:, 0].to(torch.int64).argmax()) + 1


def readings(trace: Trace) -> list[TextReading]:
    """Return the answers of a trace, one for each picture."""
    outputs, batch, classes = trace.outputs, trace.batch, trace.facts.classes
    found = answers(outputs, glimpses_of(outputs))
    chance = found.logits.softmax(2)
    doubts = batch.doubt.tolist() if isinstance(batch, ReadBatch) else [0] * len(batch.number)
    result = []
    for example, doubt in enumerate(doubts):
        symbols = [symbol for symbol in found.symbols[example].tolist() if symbol >= 0]
        spent = int(found.spent[example])
        count = int(batch.number[example])
        truth = "".join(classes[k] for k in batch.targets[example, :count].tolist()) if count else None
        result.append(
            TextReading(
                "".join(classes[k] for k in symbols),
                [float(chance[example, place, k]) for place, k in enumerate(symbols)],
                spent,
                bool(outputs.stops[:, example].any()),
                [(x, y) for x, y in outputs.location[:spent, example].tolist()],
                truth,
                DOUBTS[doubt],
            )
        )
    return result
