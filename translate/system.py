"""Translation as a system."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from saccade.json_types import Record
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.config import Run
from saccade.pipeline.contract import Episode, Loss, System, Trace
from saccade.recurrent.sequence import masked_sum
from saccade.translate.config import Config, TranslateData, TranslateFacts
from saccade.translate.model import EncoderDecoder
from saccade.translate.pairs import Pairs, Source, Words, Written
from saccade.translate.picture import picture
from saccade.translate.source import PairSource
from saccade.translate.translator import Translator
from saccade.words.output_layer import smoothed_loss
from saccade.words.symbols import BEGIN, PAD

TranslateEpisode = Episode[Words, Source, Tensor]
"""Words [T, B], the sentences to read [B, S], the targets' lengths [B].

`lengths` is None: the decoder runs over the padding, whose targets are PAD and count nowhere.
"""


class TranslateSystem(System[TranslateData, Config, Pairs, TranslateFacts, Written]):
    """Translation."""

    strip_frames = 6

    def load(self, run: Run[TranslateData, Config], device: torch.device) -> PairSource:
        """Load the pairs and learn their subwords."""
        return PairSource(run.data, run.train.seed, device)

    def build(self, config: Config, facts: TranslateFacts) -> EncoderDecoder:
        """Build a freshly initialised network."""
        return EncoderDecoder(config, facts.symbols)

    def episode(
        self, batch: Pairs, config: Config, generator: torch.Generator, *, progress: float = 1.0
    ) -> TranslateEpisode:
        """Make an episode: the target, the target one step later, and what dropout keeps; on the batch's device."""
        source = batch.source[:, : int(batch.source_lengths.max())]
        target = batch.target[:, : int(batch.target_lengths.max())].t()  # [T, B]
        begin = torch.full_like(target[:1], BEGIN)
        previous = torch.cat([begin, target[:-1]]).masked_fill(target == PAD, PAD)

        def kept(*shape: int) -> Tensor | None:
            if not config.dropout:
                return None
            return (torch.rand(shape, generator=generator) >= config.dropout).to(target.device)

        steps, examples = target.shape
        words = Words(previous, target, kept(steps, examples, config.embedding), kept(steps, examples, config.hidden))
        shape = source.shape
        read = Source(source, batch.source_lengths, kept(*shape, config.embedding), kept(*shape, 2 * config.encoder))
        return Episode(words, read, targets=batch.target_lengths)

    def loss(self, outputs: Written, episode: TranslateEpisode, config: Config) -> Loss:
        """Return the cross-entropy a symbol with smoothed labels; its parts: without smoothing."""
        symbols = episode.targets.sum()
        smoothed = smoothed_loss(outputs.log_p, outputs.mean_log_p, config.label_smoothing)
        return Loss(smoothed.sum() / symbols, {"nats_per_symbol": -outputs.log_p.detach().sum() / symbols})

    def metrics(self, outputs: Written, episode: TranslateEpisode, config: Config) -> dict[str, Tensor]:
        """Measure each sentence: its nats, its symbols, and those that were the most probable [B]."""
        lengths = episode.targets
        return {
            "nats": -masked_sum(outputs.log_p, lengths).double(),
            "right": masked_sum(outputs.right.float(), lengths),
            "symbols": lengths,
        }

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return the perplexity a symbol and the percentage of symbols that were the most probable, references given.

        BLEU, for which the network writes alone, is measured by `Translator.evaluate`.
        """
        found = results["main"]
        symbols = found["symbols"].sum()
        return {
            "perplexity": (found["nats"].sum() / symbols).exp().item(),
            "symbol_accuracy_percent": 100 * (found["right"].double().sum() / symbols).item(),
        }

    def conditions(self, config: Config) -> dict[str, Config]:
        """Return the settings of an evaluation: nothing is dropped."""
        return {"main": replace(config, dropout=0.0)}

    def health(self, outputs: Written, episode: TranslateEpisode, config: Config) -> dict[str, float]:
        """Return the percentage of the batch's symbols that were the most probable."""
        right = outputs.right.float().sum() / episode.targets.sum()
        return {"symbol_accuracy_percent": 100 * right.item()}

    def examples_at_once(self, config: Config) -> int:
        """Return the number of examples in a batch of an evaluation."""
        return 100

    def trained(self) -> type[Translator]:
        """Return the class of a trained network."""
        return Translator

    def picture(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the alignment matrix so far."""
        return picture(trace, t, example)


SYSTEM = TranslateSystem()
