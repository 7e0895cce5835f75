"""Task frames: a label for every frame, and the sentence of the clip by CTC (Graves et al. 2006)."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from saccade.json_types import Record
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.contract import Episode, Loss, Trace
from saccade.recurrent.sequence import masked_mean, masked_sum
from saccade.video.clip import network_frames
from saccade.video.config import Config
from saccade.video.frames_picture import picture
from saccade.video.reader import Answer, Masks
from saccade.video.recogniser import Recogniser, build_recogniser, draw_masks
from saccade.video.sentence import BLANK, beam_search, error_counts, greedy
from saccade.video.task import Task
from saccade.video.two_way import TwoWayRecogniser
from saccade.videos.config import VideoFacts
from saccade.videos.recordings import UNKNOWN, Clips

FramesEpisode = Episode[Tensor, Masks | None, Tensor]
"""Frames [T, B, C, H, W], dropout masks, words [B, S]; `step_targets` classes [T, B]."""


class FramesTask(Task[Clips, Answer]):
    """Two answers a frame: its class, and the symbol of the sentence that ends there (mostly the blank)."""

    def build(self, config: Config, facts: VideoFacts) -> Recogniser | TwoWayRecogniser:
        """Build a freshly initialised recogniser."""
        return build_recogniser(config, facts)

    def episode(self, batch: Clips, config: Config, generator: torch.Generator, progress: float) -> FramesEpisode:
        """Make an episode: the words as targets, the frames' classes as step targets."""
        assert batch.step_labels is not None and batch.words is not None
        masks = draw_masks(config, len(batch.lengths), generator)
        labels = batch.step_labels.t()
        return Episode(network_frames(batch.frames), masks, batch.words, labels, batch.lengths)

    def loss(self, outputs: Answer, episode: FramesEpisode, config: Config) -> Loss:
        """Return the frames' cross-entropy plus the weighted CTC loss a word."""
        labels, words = episode.step_targets, episode.targets
        assert isinstance(labels, Tensor) and outputs.symbols is not None and episode.lengths is not None
        each = F.cross_entropy(
            outputs.logits.float().flatten(0, 1),
            labels.flatten(),
            ignore_index=UNKNOWN,
            reduction="none",
            label_smoothing=config.smoothing,
        )
        frames = masked_mean(each.view_as(labels), episode.lengths)
        counts = (words != UNKNOWN).sum(1)
        ctc = F.ctc_loss(
            outputs.symbols.float().log_softmax(2), words.clamp(min=0) + 1, episode.lengths, counts, BLANK, "mean", True
        )
        return Loss(frames + config.ctc_weight * ctc, {"frames_nats": frames.detach(), "ctc_nats": ctc.detach()})

    def metrics(self, outputs: Answer, episode: FramesEpisode, config: Config) -> dict[str, Tensor]:
        """Count the right frames, all and those of words, and the words that greedy and beam decoding get wrong [B]."""
        labels = episode.step_targets
        assert isinstance(labels, Tensor) and outputs.symbols is not None and episode.lengths is not None
        words = outputs.symbols.shape[2] - 1
        right = outputs.logits.argmax(2) == labels
        spoken = (labels >= 0) & (labels < words)
        decoded = {
            "greedy": greedy(outputs.symbols, episode.lengths),
            "beam": beam_search(outputs.symbols, episode.lengths, config.beam),
        }
        truths = [[word for word in clip if word != UNKNOWN] for clip in episode.targets.tolist()]
        found = {
            "frames": episode.lengths,
            "right": masked_sum(right.long(), episode.lengths),
            "spoken": masked_sum(spoken.long(), episode.lengths),
            "right_spoken": masked_sum((right & spoken).long(), episode.lengths),
            "words": torch.tensor([len(truth) for truth in truths]),
        }
        for name, sentences in decoded.items():
            found[f"wrong_{name}"] = torch.tensor(error_counts(truths, sentences))
        return found

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return accuracies of frames and word error rates, in percent."""
        sums = {name: int(values.sum()) for name, values in results["main"].items()}
        greedy_rate, beam_rate = (100 * sums[f"wrong_{name}"] / max(1, sums["words"]) for name in ("greedy", "beam"))
        return {
            "word_error_percent": beam_rate,
            "error_percent": beam_rate,
            "greedy_word_error_percent": greedy_rate,
            "frame_accuracy_percent": 100 * sums["right"] / sums["frames"],
            "word_frame_accuracy_percent": 100 * sums["right_spoken"] / max(1, sums["spoken"]),
            "sentences_right_percent": 100 * (results["main"]["wrong_beam"] == 0).double().mean().item(),
        }

    def health(self, outputs: Answer, episode: FramesEpisode, config: Config) -> dict[str, float]:
        """Return the accuracy of the batch's frames."""
        labels = episode.step_targets
        assert isinstance(labels, Tensor) and episode.lengths is not None
        right = masked_sum((outputs.logits.argmax(2) == labels).long(), episode.lengths).sum()
        return {"frame_accuracy_percent": 100 * (right / episode.lengths.sum()).item()}

    def picture(self, trace: Trace, t: int, example: int) -> Pixels:
        """Draw the frame, its label, and the sentence so far."""
        return picture(trace, t, example)
