"""Show, Attend and Tell as a system: pictures, captions of differing lengths, a word at every step."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from saccade.caption.captions import load_captions
from saccade.caption.config import SCENES, CaptionData, CaptionFacts, Config
from saccade.caption.loss import drawn_bleu, drawn_loss, loss_of, rewards
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

CaptionEpisode = Episode[Reading, Sight, Tensor | None]
"""Words [T, R], the picture [B, ...]; the captions of B pictures are R = C B rows, those of a picture B apart.
Where the network draws the captions, the targets are people's, [B, C, T]."""

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
        if config.objective == "bleu":
            return self._rollouts(batch, config, generator)
        target = batch.words.transpose(0, 1).flatten(0, 1).t()  # [T, R], those of a picture B apart
        lengths = (target != PAD).sum(0).clamp(min=1)  # a picture with fewer captions has rows without a word
        target = target[: int(lengths.max())]
        begin = torch.full_like(target[:1], BEGIN)
        word = torch.cat([begin, target[:-1].masked_fill(target[:-1] == END, PAD)])
        steps, rows = target.shape
        noise = Noise(generator, target.device)
        chance = None
        if config.attention == "hard":
            chance = torch.where(noise.draw(steps, rows) < config.sampled, noise.draw(steps, rows), torch.nan)
        reading = _dropped(Reading(word, target, chance), steps, rows, config, noise)
        return Episode(reading, _sight(batch, config, noise), step_targets=target, lengths=lengths)

    def _rollouts(self, batch: Captioned, config: Config, generator: torch.Generator) -> CaptionEpisode:
        """Make an episode in which the network draws captions itself, as long as the longest of people's."""
        noise = Noise(generator, batch.words.device)
        steps, rows = batch.words.shape[2], config.rollouts * len(batch.words)
        reading = _dropped(Reading(None, None, uniform=noise.draw(steps, rows)), steps, rows, config, noise)
        return Episode(reading, _sight(batch, config, noise), targets=batch.words)

    def loss(self, outputs: Told, episode: CaptionEpisode, config: Config) -> Loss:
        """Return the loss, see `saccade.caption.loss`."""
        if episode.targets is not None:
            return drawn_loss(outputs, episode.targets)
        return loss_of(outputs, (outputs.word != PAD).sum().clamp(min=1), episode.lengths, config)

    def metrics(self, outputs: Told, episode: CaptionEpisode, config: Config) -> dict[str, Tensor]:
        """Measure each picture: the log-probability of its captions, nats, and their words, END included [B]."""
        pictures = len(episode.context.vectors)
        of_picture = lambda values: values.sum(0).view(-1, pictures).sum(0)  # noqa: E731
        return {
            "nats": of_picture(-outputs.log_probability),
            "words": of_picture(outputs.word != PAD),
        }

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return the perplexity of the true captions, read word by word."""
        found = results["main"]
        return {"perplexity": (found["nats"].double().sum() / found["words"].sum()).exp().item()}

    def conditions(self, config: Config) -> dict[str, Config]:
        """Return the settings of an evaluation: people's captions are read, nothing is dropped, no place is sampled."""
        read = replace(config, objective="likelihood", smoothing=0.0)
        return {"main": replace(read, dropout=0.0, word_dropout=0.0, feature_dropout=0.0)}

    def health(self, outputs: Told, episode: CaptionEpisode, config: Config) -> dict[str, float]:
        """Return the perplexity of the batch, and how sharp the attention is: 1 if it is even, L on one place."""
        told = outputs.word != PAD
        found = {"perplexity": (-outputs.log_probability.sum() / told.sum()).exp().item()}
        if config.attention != "none":
            found["sharpness"] = (outputs.weights[told].square().sum(1).mean() * outputs.weights.shape[2]).item()
        if outputs.look is not None:
            reward = rewards(outputs.log_probability, config.discount)
            found["advantage_variance"] = (reward - outputs.look.expected)[told].var().item()
        if episode.targets is not None:
            found["bleu_4"] = 100 * drawn_bleu(outputs, episode.targets).mean().item()
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


class Noise:
    """Random numbers of an episode, drawn on the CPU."""

    def __init__(self, generator: torch.Generator, device: torch.device) -> None:
        self.generator, self.device = generator, device

    def draw(self, *shape: int) -> Tensor:
        """Return uniform noise in [0, 1)."""
        return torch.rand(*shape, generator=self.generator).to(self.device)

    def keep(self, dropped: float, *shape: int) -> Tensor | None:
        """Return what is kept; None where nothing is dropped."""
        return self.draw(*shape) >= dropped if dropped else None


def _dropped(reading: Reading, steps: int, rows: int, config: Config, noise: Noise) -> Reading:
    """Return the inputs with their dropout."""
    return reading._replace(
        kept_word=noise.keep(config.word_dropout, steps, rows, config.embedding),
        kept_output=noise.keep(config.dropout, steps, rows, config.embedding),
    )


def _sight(batch: Captioned, config: Config, noise: Noise) -> Sight:
    """Return the pictures with their dropout."""
    width = config.features or batch.vectors.shape[-1]
    return Sight(batch.vectors, noise.keep(config.feature_dropout, len(batch.vectors), width))


SYSTEM = CaptionSystem()
