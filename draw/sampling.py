"""Images out of nothing: the generator unrolled on z ~ N(0, I) (Gregor et al. 2015, section 2.3)."""

import torch
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
def generate(core: Draw, config: Config, labels: Tensor, facts: ImageFacts, seed: int) -> Trace:
    """Draw one image for each label, int64 [B]; a label of -1 lets the network choose what it draws.

    The trace's outputs are the generator's `Stroke`s, its batch the finished canvases and their labels.

    Raises:
        InputError: classes asked of a network that knows none.
    """
    if not config.labelled and (labels >= 0).any():
        do = "train one with --labelled"
        raise InputError("a network that was trained with labels", "one without, asked for a class", do)
    device = core.generator.canvas.device
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(labels), config.steps, config.latent, generator=generator).transpose(0, 1)
    if config.labelled:  # it has never drawn without a class: choose for it
        drawn = torch.randint(len(facts.classes), labels.shape, generator=generator)
        labels = torch.where(labels < 0, drawn, labels)
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
