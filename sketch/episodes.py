"""From a batch of drawings to what the model reads and predicts."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from saccade.pipeline.contract import Episode
from saccade.recurrent.sequence import clear_padding, mask
from saccade.sketch.config import Config
from saccade.sketch.loss import Targets, annealed
from saccade.sketch.mixture import DOWN, END, LIFTED
from saccade.sketch.model import PenInputs, Seen, kept_share
from saccade.sketch.source import Strokes

DrawEpisode = Episode[PenInputs, Seen, Targets]


def drawing_episode(batch: Strokes, config: Config, generator: torch.Generator, progress: float) -> DrawEpisode:
    """Make the episode of teacher forcing: the move before each step, and the next one as target.

    With `config.known`, the encoder reads the first half alone, or nothing, and the second half alone is measured.
    """
    seen = batch = trimmed(batch)
    half = batch.lengths // 2
    measured_from = torch.zeros_like(half)
    read = batch.lengths
    if config.known == "first half":
        read, measured_from = half, half
    elif config.known == "nothing":
        read, batch = torch.zeros_like(half), second_half(batch, half)
    five = five_features(batch.moves, batch.lengths)
    examples, steps = five.shape[0], five.shape[1] + 1
    first = start(examples).to(five)
    keep_encoder, keep_decoder = _masks(config, examples, steps, generator)
    noise = torch.randn(examples, config.latent, generator=generator).to(five)
    context = Seen(five_features(seen.moves, seen.lengths), read, noise, batch.labels.clamp(min=0), keep_encoder)
    inputs = PenInputs(torch.cat([first[:, None], five], dim=1).transpose(0, 1), keep_decoder)
    return Episode(inputs, context, _targets(batch, measured_from, annealed(config, progress)))


def trimmed(batch: Strokes) -> Strokes:
    """Return a batch without the padding that all its drawings share."""
    longest = int(batch.lengths.max())
    moves = batch.moves[:, :longest]
    return batch._replace(moves=clear_padding(moves, mask(batch.lengths, longest).t()))


def second_half(batch: Strokes, half: Tensor) -> Strokes:
    """Return the second half of each drawing as a drawing."""
    at = (torch.arange(batch.moves.shape[1]).to(half) + half[:, None]).clamp(max=batch.moves.shape[1] - 1)
    moves = batch.moves.gather(1, at[:, :, None].expand_as(batch.moves))
    return trimmed(batch._replace(moves=moves, lengths=batch.lengths - half))


def five_features(moves: Float[Tensor, "B T 3"], lengths: Tensor) -> Float[Tensor, "B T 5"]:
    """Return each move as (dx, dy, p1, p2, p3), section 3.1; 0 in the padding."""
    pen = F.one_hot((moves[:, :, 2] > 0.5).long(), 3).to(moves.dtype)
    return clear_padding(torch.cat([moves[:, :, :2], pen], dim=2), mask(lengths, moves.shape[1]).t())


def start(examples: int) -> Float[Tensor, "B 5"]:
    """Return S_0 = (0, 0, 1, 0, 0): the pen is on the paper."""
    return F.one_hot(torch.full((examples,), 2 + DOWN), 5).float()


def inputs_of(begun: Strokes) -> PenInputs:
    """Return S_0 to S_k of begun drawings of one length [k + 1, B, 5]."""
    five = five_features(begun.moves, begun.lengths)
    return PenInputs(torch.cat([start(len(five))[:, None].to(five), five], dim=1).transpose(0, 1))


def _targets(batch: Strokes, measured_from: Tensor, eta: float) -> Targets:
    running = mask(batch.lengths, batch.moves.shape[1] + 1).t()
    moves = F.pad(batch.moves, (0, 0, 0, 1))
    pen = torch.where(running, torch.where(moves[:, :, 2] > 0.5, LIFTED, DOWN), END)
    etas = torch.full_like(batch.moves[:, 0, 0], eta)
    return Targets(moves[:, :, :2], pen, batch.lengths + 1, measured_from, etas, batch.longest, batch.labels)


def _masks(
    config: Config, examples: int, steps: int, generator: torch.Generator
) -> tuple[Tensor | None, Tensor | None]:
    """Draw the recurrent dropout's masks for encoder [B, T - 1, 2 H] and decoder [T, B, H], a random byte a unit."""
    if not config.dropout:
        return None, None
    kept = kept_share(config)

    def draw(*shape: int) -> Tensor:
        return torch.randint(256, shape, dtype=torch.uint8, generator=generator) < kept

    encoder = draw(examples, steps - 1, 2 * config.encoder) if config.latent else None
    return encoder, draw(steps, examples, config.decoder)
