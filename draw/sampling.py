"""Images out of nothing: the generator unrolled on z ~ N(0, I) (Gregor et al. 2015, section 2.3)."""

import torch
from torch import Tensor

from saccade.draw.config import Config
from saccade.draw.model import Draw
from saccade.errors import InputError
from saccade.images.config import ImageFacts
from saccade.images.source import ImageBatch
from saccade.pipeline.contract import Episode, Trace
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
    strokes, _ = unroll(core.generator, noise.to(device), core.generator.initial_state(len(labels)), context)
    drawn = ImageBatch(torch.sigmoid(strokes.canvas[-1]), labels)
    return Trace("draw", strokes, Episode(noise, context, labels), drawn, facts)
