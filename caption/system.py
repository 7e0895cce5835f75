"""Show, Attend and Tell as a system: pictures, captions of differing lengths, a word at every step."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from saccade.caption.captions import load_captions
from saccade.caption.config import SCENES, CaptionData, CaptionFacts, Config
from saccade.caption.loss import loss_of, rewards
from saccade.caption.model import Teller
from saccade.caption.scenes import SceneSource
from saccade.caption.source import Captioned, PhotoSource
from saccade.caption.trace import Reading, Sight, Told
from saccade.json_types import Record
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.config import Run
from saccade.pipeline.contract import Episode, Loss, System, Trace
from saccade.pipeline.trained import Trained
from saccade.words.symbols import BEGIN, END, PAD

CaptionEpisode = Episode[Reading, Sight, None]
"""Words [T, R], the picture [B, ...]; the captions of B pictures are R = C B rows, those of a picture B apart."""

PICTURES_AT_ONCE = 100


class CaptionSystem(System[CaptionData, Config, Captioned, CaptionFacts, Told]):
    """Captions."""

    strip_frames = 30

    def load(self, run: Run[CaptionData, Config], device: torch.device) -> PhotoSource | SceneSource:
        """Load the pictures and captions of a run; look at the pictures, if no earlier run did."""
        data = run.data
        if data.dataset == SCENES:
            return SceneSource(data, run.train.seed, device)
        return PhotoSource(load_captions(data.dataset, data.data_dir), data, run.train.seed, device)

    def build(self, config: Config, facts: CaptionFacts) -> Teller:
        """Build a freshly initialised network."""
        return Teller(config, facts)

    def episode(
        self, batch: Captioned, config: Config, generator: torch.Generator, *, progress: float = 1.0
    ) -> CaptionEpisode:
        """Make the episode of a batch: its captions are read word by word."""
        target = batch.words.transpose(0, 1).flatten(0, 1).t()  # [T, R], those of a picture B apart
        lengths = (target != PAD).sum(0).clamp(min=1)  # a picture with fewer captions has rows without a word
        target = target[: int(lengths.max())]
        begin = torch.full_like(target[:1], BEGIN)
        word = torch.cat([begin, target[:-1].masked_fill(target[:-1] == END, PAD)])
        steps, rows = target.shape
        draw = lambda *shape: torch.rand(*shape, generator=generator).to(target.device)  # noqa: E731
        keep = lambda p, *shape: draw(*shape) >= p if p else None  # noqa: E731
        chance = None
        if config.attention == "hard":
            chance = torch.where(draw(steps, rows) < config.sampled, draw(steps, rows), torch.nan)
        reading = Reading(
            word=word,
            target=target,
            chance=chance,
            kept_word=keep(config.word_dropout, steps, rows, config.embedding),
            kept_output=keep(config.dropout, steps, rows, config.embedding),
        )
        width = config.features or batch.vectors.shape[-1]
        sight = Sight(batch.vectors, keep(config.feature_dropout, len(batch.vectors), width))
        return Episode(reading, sight, step_targets=reading.target, lengths=lengths)

    def loss(self, outputs: Told, episode: CaptionEpisode, config: Config) -> Loss:
        """Return the loss, see `saccade.caption.loss`."""
        return loss_of(outputs, _words(episode).clamp(min=1), episode.lengths, config)

    def metrics(self, outputs: Told, episode: CaptionEpisode, config: Config) -> dict[str, Tensor]:
        """Measure each picture: the log-probability of its captions, nats, and their words, END included [B]."""
        pictures = len(episode.context.vectors)
        of_picture = lambda values: values.sum(0).view(-1, pictures).sum(0)  # noqa: E731
        return {
            "nats": of_picture(-outputs.log_probability),
            "words": of_picture(episode.inputs.target != PAD),
        }

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return the perplexity of the true captions, read word by word."""
        found = results["main"]
        return {"perplexity": (found["nats"].double().sum() / found["words"].sum()).exp().item()}

    def conditions(self, config: Config) -> dict[str, Config]:
        """Return the settings of an evaluation: nothing is dropped, and no place is sampled."""
        return {"main": replace(config, dropout=0.0, word_dropout=0.0, feature_dropout=0.0, smoothing=0.0)}

    def health(self, outputs: Told, episode: CaptionEpisode, config: Config) -> dict[str, float]:
        """Return the perplexity of the batch, and how sharp the attention is: 1 if it is even, L on one place."""
        told = episode.inputs.target != PAD
        found = {"perplexity": (-outputs.log_probability.sum() / told.sum()).exp().item()}
        if config.attention != "none":
            found["sharpness"] = (outputs.weights[told].square().sum(1).mean() * outputs.weights.shape[2]).item()
        if outputs.look is not None:
            reward = rewards(outputs.log_probability)
            found["advantage_variance"] = (reward - outputs.look.expected)[told].var().item()
        return found

    def picture(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the picture with the attention of word t as light over it, and the sentence so far."""
        from saccade.caption.picture import picture

        return picture(trace, t, example)

    def tile(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the same, small."""
        from saccade.caption.picture import tile

        return tile(trace, t, example)

    def trained(self) -> type[Trained[Config, Captioned, CaptionFacts]]:
        """Return the class of trained networks, which write."""
        from saccade.caption.writer import Writer

        return Writer

    def examples_at_once(self, config: Config) -> int:
        """Return the number of pictures in a batch of an evaluation."""
        return PICTURES_AT_ONCE

    def showcase_caption(self) -> str:
        """Return the sentence under a report's film."""
        return "Test pictures, word by word: light falls where the network looks."


def _words(episode: CaptionEpisode) -> Tensor:
    """Return the number of words of an episode, END included."""
    return cast(Tensor, (episode.inputs.target != PAD).sum())


SYSTEM = CaptionSystem()
