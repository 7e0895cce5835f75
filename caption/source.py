"""Photographs and their captions as the source of a run: annotation vectors and words, batch by batch."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int64, Shaped, UInt8
from torch import Tensor

from saccade.caption.captions import Photo, Sets
from saccade.caption.config import CaptionData, CaptionFacts
from saccade.errors import InputError
from saccade.pipeline.contract import Split
from saccade.pipeline.data.seeded_random import integers, permutation
from saccade.words.symbols import END, PAD
from saccade.words.vocabulary import Vocabulary, split_words

POOL = 16
"""Batches among which pictures with captions of like lengths are put together."""


class Captioned(NamedTuple):
    """Pictures with their captions."""

    vectors: Shaped[Tensor, "B ..."]
    """Annotation vectors [B, L, D]; of scenes the pixels, uint8 [B, 1, S, S]."""
    words: Int64[Tensor, "B C T"]
    """The symbols of each caption, END the last, PAD after it; a picture with fewer captions has rows of PAD."""
    number: Int64[Tensor, " B"]
    """Number of each picture in its split."""
    pixels: UInt8[Tensor, "B S S 3"] | None
    """The pictures themselves; None where nobody looks at them."""


def encoded(captions: Sequence[Sequence[Sequence[int]]]) -> Int64[Tensor, "B C T"]:
    """Return symbols, given without END, of the captions of each picture, padded."""
    most = max(len(several) for several in captions)
    longest = max(len(one) for several in captions for one in several) + 1
    words = np.full((len(captions), most, longest), PAD, np.int64)
    for row, several in zip(words, captions, strict=True):
        for place, one in zip(row, several, strict=False):
            place[: len(one)] = one
            place[len(one)] = END
    return torch.from_numpy(words)


def split_caption(caption: str) -> list[str]:
    """Return the words of a caption: in small letters, without punctuation."""
    return split_words(caption, punctuation=False)


class PhotoSource:
    """Photographs with captions, their annotation vectors read from the disk."""

    def __init__(self, sets: Sets, data: CaptionData, seed: int, device: torch.device | str = "cpu") -> None:
        from saccade.caption.encoder import load_encoder
        from saccade.caption.features import features_of

        self._split = {name: _split(photos, data.longest) for name, photos in sets._asdict().items()}
        self._photos = sets._asdict()
        vocabulary = Vocabulary.learn(
            (words for several in self._split["train"] for words in several), at_least=data.least_count
        )
        if not vocabulary.words:
            found = f"none in {len(sets.train)} pictures"
            raise InputError(f"words that occur {data.least_count} times or more", found, "lower --least-count")
        encoder = load_encoder(data.encoder, data.encoder_weights)
        folder = None if data.features_dir is None else Path(data.features_dir).expanduser()
        own = data.encoder_weights if data.encoder.startswith("timm:") else None
        self.facts = CaptionFacts(
            encoder.name, encoder.fingerprint, encoder.rows, encoder.columns, encoder.width, vocabulary.words, own
        )
        files = [photo.file for photos in self._photos.values() for photo in photos]
        self._features = features_of(files, encoder, folder, flipped=False)
        self._mirrored = (
            features_of([photo.file for photo in sets.train], encoder, folder, flipped=True) if data.flip else None
        )
        self._begins = {"train": 0, "validation": len(sets.train), "test": len(sets.train) + len(sets.validation)}
        self._symbols = {
            name: [[vocabulary.encode(words) for words in several] for several in split]
            for name, split in self._split.items()
        }
        self._lengths = np.array([max(len(words) for words in several) for several in self._split["train"]])
        self.examples, self.device = len(sets.train), torch.device(device)
        self._data, self._seed = data, seed

    def batch(self, step: int, size: int) -> Captioned:
        """Return training batch number `step`: pictures whose captions have like lengths, in random order.

        Raises:
            InputError: the batch is larger than the training set.
        """
        if size > self.examples:
            found = f"a batch of {size}"
            raise InputError(f"at most the {self.examples} training pictures", found, "lower --batch-size")
        chosen = self._chosen(step, size)
        count = self._data.captions
        picked = integers(self._seed, "caption: which captions", step, size, [1 << 20]).numpy()[:, 0]
        captions = []
        for number, random in zip(chosen.tolist(), picked, strict=True):
            several = self._symbols["train"][number]
            captions.append([several[(random + i) % len(several)] for i in range(count)])
        return self._captioned("train", chosen, captions, self._flipped(step, chosen))

    def held_out(self, split: Split) -> Captioned:
        """Return a whole held-out set, in the order of its list.

        Raises:
            InputError: the data have no such set.
        """
        if not self._photos[split]:
            raise InputError(f"pictures of the {split} split", "none", "name some in the data")
        return self._captioned(split, np.arange(len(self._photos[split])), self._symbols[split], None)

    def references(self, split: Split) -> list[list[list[str]]]:
        """Return the words of all captions of a held-out set, as people wrote them."""
        return self._split[split]

    def pixels(self, batch: Captioned, split: Split) -> Tensor:
        """Return a batch's pictures, uint8 [B, S, S, 3]."""
        from saccade.caption.encoder import square

        pictures = [square(self._photos[split][number].file) for number in batch.number.tolist()]
        return torch.from_numpy(np.stack(pictures))

    def _chosen(self, step: int, size: int) -> np.ndarray:
        """Return the pictures of a training batch."""
        batches = self.examples // size
        epoch, number = divmod(step, batches)
        order = permutation(self._seed, "caption: pictures", epoch, self.examples).numpy()
        turn = permutation(self._seed, "caption: batches", epoch, batches).numpy()
        pool, place = divmod(int(turn[number]), POOL)
        pooled = order[pool * POOL * size : min((pool + 1) * POOL, batches) * size]
        alike = pooled[np.argsort(self._lengths[pooled], kind="stable")]
        return alike[place * size : (place + 1) * size]

    def _flipped(self, step: int, chosen: np.ndarray) -> np.ndarray | None:
        """Return which pictures of a batch are mirrored."""
        if self._mirrored is None:
            return None
        return integers(self._seed, "caption: mirrored", step, len(chosen), [2]).numpy()[:, 0] == 1

    def _captioned(
        self, split: str, chosen: np.ndarray, captions: Sequence[Sequence[Sequence[int]]], mirrored: np.ndarray | None
    ) -> Captioned:
        vectors = self._features.read(chosen + self._begins[split])
        if mirrored is not None and self._mirrored is not None:
            vectors[torch.from_numpy(mirrored)] = self._mirrored.read(self.examples + chosen[mirrored])
        words, numbers = encoded(captions), torch.from_numpy(chosen)
        return Captioned(vectors.to(self.device), words.to(self.device), numbers.to(self.device), None)


def _split(photos: Sequence[Photo], longest: int) -> list[list[list[str]]]:
    """Return the words of the captions of each picture.

    Raises:
        InputError: a caption without a word, or with too many.
    """
    found = []
    for photo in photos:
        split = [split_caption(caption) for caption in photo.captions]
        for words, caption in zip(split, photo.captions, strict=True):
            if not words:
                raise InputError(
                    f"words in each caption of {photo.file.name}", f"{caption!r:.40}", "write or delete it"
                )
            if len(words) > longest:
                do = "shorten it, or raise --longest"
                raise InputError(f"at most {longest} words in a caption", f"{len(words):,} of {photo.file.name}", do)
        found.append(split)
    return found
