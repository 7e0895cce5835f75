"""Images from noise: the generator unrolled on z ~ N(0, I) (Gregor et al. 2015, section 2.3)."""

import torch
from jaxtyping import Int64
from torch import Tensor

from saccade.draw.config import Config
from saccade.draw.model import Draw
from saccade.errors import InputError
from saccade.images.config import ImageFacts
from saccade.images.source import ImageBatch
from saccade.pipeline.contract import EXAMPLES_AT_ONCE, Episode, Trace
from saccade.pipeline.progress import track
from saccade.recurrent.tree import map_tensors
from saccade.recurrent.unroll import unroll


@torch.no_grad()
def generate(core: Draw, config: Config, labels: Int64[Tensor, " B"], facts: ImageFacts, seed: int) -> Trace:
    """Draw one image for each label; -1 draws any class.

    The trace has the generator's `Stroke` as outputs, and the finished canvases with their labels as batch.

    Raises:
        InputError: a class for a network without labels.
    """
    if not config.labelled and (labels >= 0).any():
        do = "train one with --labelled"
        raise InputError("a network that was trained with labels", "one without, asked for a class", do)
    device = core.generator.canvas.device
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(labels), config.steps, config.latent, generator=generator).transpose(0, 1)
    if config.labelled:  # training never leaves the class out: choose one
        classes = torch.randint(len(facts.classes), labels.shape, generator=generator)
        labels = torch.where(labels < 0, classes, labels)
    context = labels.to(device) if config.labelled else None
    parts = []
    starts = range(0, len(labels), EXAMPLES_AT_ONCE)
    for start in track(starts, "drawing", len(starts)):
        some = slice(start, start + EXAMPLES_AT_ONCE)
        part, given = noise[:, some].to(device), None if context is None else context[some]
        parts.append(unroll(core.generator, part, core.generator.initial_state(part.shape[1]), given)[0])
    strokes = parts[0] if len(parts) == 1 else map_tensors(lambda *leaves: torch.cat(leaves, dim=1), *parts)
    drawn = ImageBatch(torch.sigmoid(strokes.canvas[-1]), labels)
    return Trace("draw", strokes, Episode(noise, context, labels), drawn, facts)
