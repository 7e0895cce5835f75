"""RAM as a system: its episodes, metrics, report and pictures."""

from collections.abc import Mapping
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from saccade.errors import InputError
from saccade.glimpse.config import Config
from saccade.glimpse.following import following
from saccade.glimpse.loss import expected, hybrid_loss
from saccade.glimpse.model import RAM, fixed_scan
from saccade.glimpse.picture import picture, tile
from saccade.glimpse.reader import Reader
from saccade.glimpse.reward import rewards
from saccade.glimpse.trace import Glimpse, GlimpseInputs
from saccade.images.config import ImageFacts
from saccade.images.source import ImageBatch
from saccade.images.system import ImageSystem
from saccade.json_types import Record
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.contract import Episode, Loss, Trace
from saccade.pipeline.evaluate.classification import confusion, error_percent
from saccade.recurrent.reinforce import advantages

GlimpseEpisode = Episode[GlimpseInputs, Tensor, Tensor]
"""Inputs, images [B, C, H, W] as context, labels [B]; with M rollouts B is M times the batch."""

AVERAGED_ROLLOUTS = 10
"""Rollouts of the condition `averaged`."""

COLLAPSED_SPREAD = 0.02
"""Gaze spread below which the policy may have collapsed, image coordinates: half a pixel of a 60-pixel image."""


class GlimpseSystem(ImageSystem[Config, Glimpse]):
    """RAM as a system."""

    glide_frames = 4

    def trained(self) -> type[Reader]:
        """Return the class of a trained RAM."""
        return Reader

    def build(self, config: Config, facts: ImageFacts) -> RAM:
        """Build a freshly initialised network."""
        return RAM(config, facts.shape)

    def episode(
        self, batch: ImageBatch, config: Config, generator: torch.Generator, *, progress: float = 1.0
    ) -> GlimpseEpisode:
        """Draw all randomness of one episode.

        With M rollouts the batch is repeated M times, rollout by rollout. Noise is drawn on the generator's device.

        Raises:
            InputError: the oracle's data does not know the digits' places.
        """
        images = batch.images.repeat(config.rollouts, 1, 1, 1)
        targets = batch.labels.repeat(config.rollouts)
        steps, examples, device = config.glimpses, len(images), images.device
        noise = torch.randn(steps, examples, 2, generator=generator).to(device)
        uniform = torch.rand(steps, examples, 2, generator=generator).to(device) * 2 - 1
        if config.gaze == "mean":
            noise = torch.zeros_like(noise)
        std = config.std * (config.final_std / config.std) ** progress
        unknown = torch.full_like(uniform[0], torch.nan)
        digit = unknown if batch.places is None else batch.places.repeat(config.rollouts, 1)
        inputs = GlimpseInputs(
            noise,
            _forced(config, uniform, digit),
            torch.full((steps, examples), std, device=device),
            torch.eye(steps, device=device)[:, None].expand(-1, examples, -1),
            digit.expand(steps, -1, -1),
        )
        return Episode(inputs, images, targets)

    def loss(self, outputs: Glimpse, episode: GlimpseEpisode, config: Config) -> Loss:
        """Return the hybrid loss of section 3.2."""
        return hybrid_loss(outputs, episode.inputs.std, episode.targets, config)

    def metrics(self, outputs: Glimpse, episode: GlimpseEpisode, config: Config) -> dict[str, Tensor]:
        """Measure each image.

        The belief after every glimpse, averaged over the rollouts [B, T, K]; the first rollout's locations [B, T, 2];
        the label [B]. If the digit's place is known: the place [B, 2], and every glimpse's distance from it in pixels
        [B, T].
        """
        rollouts, images = config.rollouts, len(episode.targets) // config.rollouts
        probabilities = F.softmax(outputs.logits, dim=2).unflatten(1, (rollouts, images)).mean(1)  # [T, B, K]
        location = outputs.location[:, :images].transpose(0, 1)
        measured = {
            "probabilities": probabilities.transpose(0, 1),
            "location": location,
            "target": episode.targets[:images],
        }
        if _knows_the_digit(episode):
            digit = episode.inputs.digit[0, :images]
            half_width = outputs.windows[:, :images, 0, 2:].transpose(0, 1)  # of the finest window, whose side is g
            measured["digit"] = digit
            measured["distance"] = ((location - digit[:, None]) * config.patch / half_width / 2).norm(dim=2)
        return measured

    def replays(self, outputs: Glimpse, episode: GlimpseEpisode, config: Config) -> dict[str, GlimpseEpisode]:
        """Return episodes made from a trace.

        In `another_image` every image is read at the locations of the image before it in the batch; in `oracle`, which
        exists if the digits' places are known, at the middle of its digit from the second glimpse on.
        """
        forced = {"another_image": outputs.location.roll(1, dims=1)}
        if _knows_the_digit(episode):
            forced["oracle"] = torch.cat([outputs.location[:1], episode.inputs.digit[1:]])
        return {name: episode._replace(inputs=episode.inputs._replace(forced=to)) for name, to in forced.items()}

    def health(self, outputs: Glimpse, episode: GlimpseEpisode, config: Config) -> dict[str, float]:
        """Return the error of the batch, and the spread of the policy's locations; distances in image coordinates.

        gaze_entropy_nats is the entropy of the policy's means over a 10 x 10 grid: 0 if all lie in one cell.
        """
        correct = outputs.logits[-1].argmax(1) == episode.targets
        found = {"error_percent": 100 * (1 - correct.float().mean().item())}
        if config.policy != "learned":
            return found
        means = outputs.mean.detach()[1:] if config.start != "learned" else outputs.mean.detach()
        if len(means) == 0:
            return found
        found["gaze_centre_distance"] = means.norm(dim=2).mean().item()
        found["gaze_spread"] = means.std(dim=1).mean().item() if means.shape[1] > 1 else 0.0
        found["gaze_saturated"] = (means.abs() > 0.9).float().mean().item()
        cells = ((means + 1) * 5).long().clamp(0, 9)
        counts = torch.bincount((cells[..., 0] * 10 + cells[..., 1]).flatten(), minlength=100).float()
        found["gaze_entropy_nats"] = torch.special.entr(counts / counts.sum()).sum().item()
        if config.attention == "hard":
            reward = rewards(outputs.logits[-1], episode.targets, config)
            baseline = expected(outputs.baseline, episode.targets)
            found["reward"] = reward.mean().item()
            found["advantage_variance"] = advantages(reward, baseline, config.rollouts).var().item()
        return found

    def warnings(self, health: Mapping[str, float], config: Config) -> list[str]:
        """Return a warning if the policy may have collapsed: to the same locations in every image, or to the border."""
        found = []
        if health.get("gaze_spread", 1.0) < COLLAPSED_SPREAD:
            found.append(
                "the policy looks at the same places in every image (gaze_spread near 0): it may have collapsed"
            )
        if health.get("gaze_saturated", 0.0) > 0.5:
            found.append("most glimpses are pressed against the border: it may have collapsed; try a larger std")
        return found

    def conditions(self, config: Config) -> dict[str, Config]:
        """Return the learned gaze in three ways, and the controls: the same weights at other locations."""
        found = {
            "mean_policy": replace(config, gaze="mean", rollouts=1),
            "one_rollout": replace(config, gaze="sampled", rollouts=1),
            "averaged": replace(config, gaze="sampled", rollouts=AVERAGED_ROLLOUTS),
        }
        for control in ("fixed-scan", "random", "centre"):
            found[control.replace("-", "_")] = replace(config, policy=control, rollouts=1)
        return found

    def report(self, results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
        """Return the test errors, the error per glimpse, the confusion matrix, and the errors of the controls.

        If the digits' places are known, also how the gaze follows them.
        """
        error = {
            name: error_percent(result["probabilities"][:, -1], result["target"]) for name, result in results.items()
        }
        main = results["mean_policy"]
        probabilities, target = main["probabilities"], main["target"]
        controls = ("fixed_scan", "random", "centre", "another_image", "oracle")
        return {
            "error_percent": {
                **{name: error[name] for name in ("mean_policy", "one_rollout", "averaged")},
                "rollouts": AVERAGED_ROLLOUTS,
            },
            "controls": {name: error[name] for name in controls if name in error},
            "glimpses": config.glimpses,
            "error_percent_per_glimpse": [error_percent(p, target) for p in probabilities.unbind(1)],
            "confusion": confusion(probabilities[:, -1], target),
            "gaze_std": main["location"].std(dim=0).mean(1).tolist(),
            **({"gaze": following(main["location"], main["digit"], main["distance"])} if "digit" in main else {}),
        }

    def picture(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the large frame."""
        return picture(trace, t, example)

    def tile(self, trace: Trace, t: float, example: int) -> Pixels:
        """Draw the small frame for a grid of many examples."""
        return tile(trace, t, example)

    def showcase_caption(self) -> str:
        """Return the sentence under a report's film."""
        return "Six test images, with the gaze and the belief after every glimpse."


def _knows_the_digit(episode: GlimpseEpisode) -> bool:
    """Return True if the digit's place is known in every image."""
    return not bool(episode.inputs.digit.isnan().any())


def _forced(config: Config, uniform: Tensor, digit: Tensor) -> Tensor:
    """Return the locations [T, B, 2] that override the policy: all of them for a control, the first for the policy.

    The oracle's are the fixed scan around the digit, except that `start` decides on the first one.

    Raises:
        InputError: the oracle's data does not know the digits' places.
    """
    if config.policy == "random":
        return uniform
    if config.policy == "centre":
        return torch.zeros_like(uniform)
    if config.policy == "fixed-scan":
        return fixed_scan(config.glimpses, config.scan_radius).to(uniform)[:, None].expand_as(uniform)
    forced = torch.full_like(uniform, torch.nan)
    if config.policy == "oracle":
        if digit.isnan().any():
            do = "choose another policy, or translated or cluttered digits"
            raise InputError("an oracle's data to know where its digits are", "data that does not", do)
        scan = fixed_scan(config.glimpses, config.scan_radius).to(uniform)
        forced = (digit + scan[:, None]).clamp(-1, 1)
    if config.start == "centre":
        forced[0] = 0.0
    elif config.start == "uniform":
        forced[0] = uniform[0]
    return forced


SYSTEM = GlimpseSystem()
