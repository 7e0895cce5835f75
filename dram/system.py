"""DRAM as a system: its episodes, metrics, report and pictures."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from saccade.dram.cnn import OneLook
from saccade.dram.config import Config, SequenceData, SequenceFacts
from saccade.dram.folders import load_text_folder
from saccade.dram.loss import sequence_loss
from saccade.dram.measures import measured, places_known, report
from saccade.dram.model import DRAM
from saccade.dram.picture import picture, tile
from saccade.dram.reader import Reader
from saccade.dram.saliency import salient_places
from saccade.dram.source import SequenceBatch, load_canvases
from saccade.dram.trace import GazeInputs, Reading
from saccade.errors import InputError
from saccade.json_types import Record
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.config import Run
from saccade.pipeline.contract import AnySource, Episode, Loss, System, Trace

GazeEpisode = Episode[GazeInputs, Tensor, tuple[Tensor, Tensor]]
"""Inputs, pictures [B, C, H, W] as context; targets [B, S] and counts [B]; with M rollouts B is M times the batch."""

COLLAPSED_SPREAD = 0.02
"""Spread of the locations over the pictures, image coordinates, below which the policy may have collapsed."""


class DramSystem(System[SequenceData, Config, SequenceBatch, SequenceFacts, Reading]):
    """DRAM as a system."""

    glide_frames = 4
    strip_frames = 12

    def trained(self) -> type[Reader]:
        """Return the class of a trained DRAM."""
        return Reader

    def load(self, run: Run[SequenceData, Config], device: torch.device) -> AnySource:
        """Load the pictures of a run.

        Raises:
            InputError: missing, damaged or unfit data.
        """
        load = load_text_folder if run.data.folder else load_canvases
        return load(run.data, run.train.seed, device)

    def build(self, config: Config, facts: SequenceFacts) -> DRAM | OneLook:
        """Build a freshly initialised network.

        Raises:
            InputError: settings that do not fit the pictures.
        """
        if config.network == "cnn":
            if config.stop == "halting":
                raise InputError("an end symbol or a count for a cnn", "stop = halting", "change --stop")
            return OneLook(config, facts)
        return DRAM(config, facts)

    def episode(
        self, batch: SequenceBatch, config: Config, generator: torch.Generator, *, progress: float = 1.0
    ) -> GazeEpisode:
        """Draw all randomness of one episode; it lasts until the longest text would end.

        With M rollouts the batch is repeated M times, rollout by rollout. Noise is drawn on the generator's device.

        Raises:
            InputError: the oracle's data does not know the symbols' places.
        """
        copies, each = config.copies, config.each
        images = batch.images.to(torch.float32).div_(255).repeat(copies, 1, 1, 1)
        targets, count = batch.targets.repeat(copies, 1), batch.number.repeat(copies)
        places, device = batch.places.repeat(copies, 1, 1), images.device
        objects = targets.shape[1] - (config.stop != "end-symbol")
        steps, examples = objects * each, len(images)
        noise = torch.randn(steps, examples, 2, generator=generator).to(device)
        chance = torch.rand(steps, examples, generator=generator).to(device)
        uniform = torch.rand(steps, examples, 2, generator=generator).to(device) * 2 - 1
        if config.gaze == "mean":
            noise, chance = torch.zeros_like(noise), torch.full_like(chance, 0.5)
        at = torch.arange(steps, device=device)
        std = torch.full((steps, examples), config.std * (config.final_std / config.std) ** progress, device=device)
        number = (at // each).float()[:, None].expand(-1, examples)
        forced = _forced(config, uniform, places, number, count)
        if config.policy == "learned" and progress < config.random_until:
            forced = salient_places(images, steps, generator)
        inputs = GazeInputs(
            noise,
            chance,
            forced,
            std,
            (at == 0).float()[:, None].expand(-1, examples),
            torch.eye(each, device=device)[at % each][:, None].expand(-1, examples, -1),
            number,
            places.expand(steps, -1, -1, -1),
        )
        return Episode(inputs, images, (targets, count))

    def loss(self, outputs: Reading, episode: GazeEpisode, config: Config) -> Loss:
        """Return the sum of the terms of `saccade.dram.loss`."""
        return sequence_loss(outputs, *episode.targets, episode.inputs.std, config)

    def metrics(self, outputs: Reading, episode: GazeEpisode, config: Config) -> dict[str, Tensor]:
        """Measure each picture: see `saccade.dram.measures.measured`."""
        return measured(outputs, episode.inputs, *episode.targets, config)

    def replays(self, outputs: Reading, episode: GazeEpisode, config: Config) -> dict[str, GazeEpisode]:
        """Return episodes made from a trace.

        In `another_picture` every picture is read at the locations of the one before it in the batch; in `oracle`,
        which exists if the symbols' places are known, at their middles.
        """
        if config.network == "cnn":
            return {}
        forced = {"another_picture": outputs.location.roll(1, dims=1)}
        if places_known(episode.inputs.places[0], episode.targets[1]):
            forced["oracle"] = _oracle(episode.inputs.places, episode.inputs.object)
        return {name: episode._replace(inputs=episode.inputs._replace(forced=to)) for name, to in forced.items()}

    def conditions(self, config: Config) -> dict[str, Config]:
        """Return the learned gaze in two ways, and the controls: the same weights at other locations."""
        once = replace(config, gaze="mean", rollouts=1)
        if config.network == "cnn":
            return {"one_look": once}
        sampled = replace(config, gaze="sampled", rollouts=1)
        controls = {name: replace(once, policy=name) for name in ("random", "centre")}
        return {"mean_policy": once, "one_rollout": sampled, **controls}

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return the error of whole texts and of symbols, the glimpses spent, the stops, and the controls."""
        return report(results, config)

    def health(self, outputs: Reading, episode: GazeEpisode, config: Config) -> dict[str, float]:
        """Return the error of the batch, and the spread of the first location that the policy chose."""
        found = measured(outputs, episode.inputs, *episode.targets, replace(config, rollouts=1))
        values = {"error_percent": 100 * (found["distance"] > 0).float().mean().item()}
        symbols = found["distance"].sum() / found["count"].sum().clamp(min=1)
        values["symbol_error_percent"] = 100 * symbols.item()
        if config.network == "attention" and config.policy == "learned" and outputs.mean.shape[1] > 1:
            values["gaze_spread"] = outputs.mean[-1].detach().float().std(dim=0).mean().item()
            values["gaze_saturated"] = (outputs.location.abs() > 0.98).float().mean().item()
        if "miss" in found:
            at_answer = found["miss"][:, config.glimpses - 1 :: config.glimpses]
            values["gaze_pixels"] = at_answer.nanmedian().item()
        return values

    def warnings(self, health: Mapping[str, float], config: Config) -> list[str]:
        """Return a warning if the policy may have collapsed: to the same locations in every picture, or to the edge."""
        found = []
        if health.get("gaze_spread", 1.0) < COLLAPSED_SPREAD:
            found.append("the policy looks at the same places in every picture: it may have collapsed")
        if health.get("gaze_saturated", 0.0) > 0.5:
            found.append("most glimpses are pressed against the border: it may have collapsed; try a larger std")
        return found

    def picture(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the large frame."""
        return picture(trace, t, example)

    def tile(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the small frame for a wall of many examples."""
        return tile(trace, t, example)

    def showcase_caption(self) -> str:
        """Return the sentence under a report's film."""
        return "Six test pictures, with the gaze and the text as it is read."


def _oracle(places: Tensor, number: Tensor) -> Tensor:
    """Return the middle of each step's object [T, B, 2]; NaN, the policy's own choice, after the last object."""
    last = places.shape[2]
    index = number.long().clamp(max=last - 1)[:, :, None, None].expand(-1, -1, 1, 2)
    return places.gather(2, index).squeeze(2).masked_fill((number >= last)[:, :, None], torch.nan)


def _forced(config: Config, uniform: Tensor, places: Tensor, number: Tensor, count: Tensor) -> Tensor:
    """Return the locations [T, B, 2] that override the policy: all of them for a control, none for the policy.

    Raises:
        InputError: the oracle's data does not know the symbols' places.
    """
    if config.policy == "random":
        return uniform
    if config.policy == "centre":
        return torch.zeros_like(uniform)
    if config.policy == "oracle":
        if not places_known(places, count):
            do = "choose another policy, or generated digits"
            raise InputError("an oracle's data to know where its symbols are", "data that does not", do)
        return _oracle(places.expand(len(uniform), -1, -1, -1), number)
    return torch.full_like(uniform, torch.nan)


SYSTEM = DramSystem()
