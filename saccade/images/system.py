"""The base classes of systems of labelled images: their data, and a user's own images as input."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from saccade.images.config import ImageData, ImageFacts
from saccade.images.inputs import Picture, to_batch
from saccade.images.source import ImageBatch, ImageSource, load_images
from saccade.pipeline.config import Run
from saccade.pipeline.contract import EXAMPLES_AT_ONCE, System, Trace
from saccade.pipeline.device import own_device
from saccade.pipeline.trained import Trained
from saccade.recurrent.tree import map_tensors

ConfigT = TypeVar("ConfigT")
OutputT = TypeVar("OutputT")


class ImageSystem(System[ImageData, ConfigT, ImageBatch, ImageFacts, OutputT]):
    """A system whose data are labelled images."""

    def load(self, run: Run[ImageData, ConfigT], device: torch.device) -> ImageSource:
        """Load the images of a run; see `load_images`."""
        return load_images(self.data_for(run.model, run.data), run.train.seed, device)

    def data_for(self, config: ConfigT, data: ImageData) -> ImageData:
        """Replace settings of the data that depend on the model (`binarise = "auto"`). Default: grey levels."""
        return replace(data, binarise="none") if data.binarise == "auto" else data


class ImageTrained(Trained[ConfigT, ImageBatch, ImageFacts]):
    """A trained network for images."""

    def source(self, data_dir: str | None = None) -> ImageSource:
        """Load the dataset of its training; see `Trained.source`."""
        found = super().source(data_dir)
        assert isinstance(found, ImageSource)
        return found

    def batch(self, images: Picture | Sequence[Picture]) -> ImageBatch:
        """Convert a user's images to a batch on the network's device: see `saccade.images.inputs.to_batch`."""
        digits = not self.folder.run.data.dataset.startswith("folder:")
        return map_tensors(lambda leaf: leaf.to(own_device()), to_batch(images, self.facts, digits=digits))

    def trace(self, images: Picture | Sequence[Picture], condition: str | None = None) -> Trace:
        """Run the network on a user's images; return every step's outputs, for `saccade.film` and your own analysis.

        Args:
            images: paths, PIL images, arrays or tensors, see `saccade.images.inputs.Picture`.
            condition: one of the system's conditions, e.g. "random" of RAM; the main one by default.

        Raises:
            InputError: images that the network cannot take.
        """
        return self.look(self.batch(images), condition)

    def logits(self, batch: ImageBatch) -> Tensor:
        """Return a classifier's last logits [N, K] for any number of images, in batches; on the CPU."""
        found = []
        for start in range(0, len(batch.labels), EXAMPLES_AT_ONCE):
            part = map_tensors(lambda leaf: leaf[start : start + EXAMPLES_AT_ONCE].to(own_device()), batch)  # noqa: B023
            found.append(self.look(part).outputs.logits[-1].float().cpu())
        return torch.cat(found)
