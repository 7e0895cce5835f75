"""From a frame to a vector: a convolutional network or principal components for pictures, or a skeleton's measures."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from saccade.recurrent.shared_weights import affine
from saccade.video.config import Config
from saccade.videos.config import VideoFacts
from saccade.videos.joints import BONES, ROOT

SMALLEST = 6
"""Pixels below which a side is not halved any more."""

EPSILON = 1e-6
"""Added to a frame's variance: a black frame stays black."""

CHANGE_SCALE = 2.0
"""Brings the change of components of variance 1 to about 1."""

PLACE_SCALE, MOVE_SCALE = 2.0, 10.0
"""Bring a skeleton's places (metres) and moves (metres a frame) to about 1."""


class Seen(NamedTuple):
    """The frames before the present one, as many as an encoder compares it with."""

    frames: Float[Tensor, "B S C H W"]
    """Normalised, the latest last."""
    there: Float[Tensor, " B"]
    """Number of them that are there, up to S."""


class FrameEncoder(nn.Module):
    """The base of the encoders: a frame, and its change since earlier frames, to features."""

    spans: tuple[int, ...] = (1,)
    """Frames over which change is measured."""

    def normalise(self, frame: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """Return the frame with mean 0 and standard deviation 1 over all its pixels."""
        return F.layer_norm(frame, frame.shape[1:], eps=EPSILON)

    def forward(self, frame: Float[Tensor, "B C H W"], *changes: Float[Tensor, "B C H W"]) -> Float[Tensor, "B F"]:
        """Return the features of normalised frames and their changes over `spans`; a change is 0 at the beginning."""
        raise NotImplementedError

    def step(self, frame: Float[Tensor, "B C H W"], seen: Seen) -> Float[Tensor, "B F"]:
        """Return the features of one normalised frame of each clip."""
        there = [(seen.there >= span).to(frame.dtype)[:, None, None, None] for span in self.spans]
        return self(frame, *((frame - seen.frames[:, -k]) * one for k, one in zip(self.spans, there, strict=True)))

    def sequence(self, frames: Float[Tensor, "T B C H W"], seen: Seen) -> Float[Tensor, "T B F"]:
        """Return what `step` returns, of all normalised frames at once."""
        history, changes = torch.cat([seen.frames.transpose(0, 1), frames]), []
        steps, most = len(frames), seen.frames.shape[1]
        for span in self.spans:
            there = torch.arange(steps, device=frames.device)[:, None] + seen.there >= span
            change = frames - history[most - span : most - span + steps]
            changes.append((change * there[..., None, None, None].to(frames.dtype)).flatten(0, 1))
        return self(frames.flatten(0, 1), *changes).view(*frames.shape[:2], -1)


class PictureEncoder(FrameEncoder):
    """Convolutions with stride 2 until a side is short, then a linear layer. A frame is normalised by itself.

    The input has the frame and its change since the frame before: two frames are where motion begins.
    """

    def __init__(self, config: Config, facts: VideoFacts) -> None:
        super().__init__()
        channels, height, width, layers = 2 * facts.channels, facts.height, facts.width, []
        while min(height, width) > SMALLEST or not layers:
            out = config.width * (len(layers) + 1)
            layers.append(nn.Conv2d(channels, out, 3, stride=2, padding=1))
            channels, height, width = out, (height + 1) // 2, (width + 1) // 2
        self.layers = nn.ModuleList(layers)
        self.linear = nn.Linear(channels * height * width, config.features)
        self.norm = nn.LayerNorm(config.features)

    def forward(self, frame: Float[Tensor, "B C H W"], *changes: Float[Tensor, "B C H W"]) -> Float[Tensor, "B F"]:
        """Return the features of normalised frames and their change."""
        x = torch.cat([frame, *changes], dim=1)
        for layer in self.layers:
            x = F.relu(layer(x))
        x = affine((x.flatten(1),), (self.linear.weight,), (self.linear.bias,))
        return F.relu(self.norm(x.to(self.norm.weight.dtype)))


class ComponentEncoder(FrameEncoder):
    """A frame's principal components and their change through a linear layer: learns from few clips.

    `prime` computes the components of training frames; training changes them further.
    """

    def __init__(self, config: Config, facts: VideoFacts) -> None:
        super().__init__()
        pixels = facts.channels * facts.height * facts.width
        self.components = nn.Linear(pixels, config.components)
        self.linear = nn.Linear(2 * config.components, config.features)
        self.norm = nn.LayerNorm(config.features)

    @torch.no_grad()
    def prime(self, frames: Float[Tensor, "N C H W"]) -> None:
        """Take the principal components of frames, each scaled to variance 1."""
        pixels = self.normalise(frames).flatten(1).double()
        mean = pixels.mean(0)
        covariance = (pixels - mean).t() @ (pixels - mean) / max(1, len(pixels) - 1)
        variances, directions = torch.linalg.eigh(covariance)  # in ascending order
        count = min(self.components.out_features, len(variances))
        scale = (variances[-count:] + EPSILON).rsqrt()
        matrix = (directions[:, -count:] * scale).t().flip(0)
        self.components.weight[:count] = matrix.to(self.components.weight.dtype)
        self.components.bias[:count] = (-matrix @ mean).to(self.components.bias.dtype)

    def forward(self, frame: Float[Tensor, "B C H W"], *changes: Float[Tensor, "B C H W"]) -> Float[Tensor, "B F"]:
        """Return the features of normalised frames and their change."""
        weight, bias = self.components.weight, self.components.bias
        return self._features(*(affine((x.flatten(1),), (weight,), (bias,)) for x in (frame, *changes)))

    def sequence(self, frames: Float[Tensor, "T B C H W"], seen: Seen) -> Float[Tensor, "T B F"]:
        """Return the features of all frames: the components of their changes are the changes of their components."""
        weight, bias = self.components.weight, self.components.bias
        still = F.linear(frames.flatten(2), weight, bias)
        first = torch.zeros_like(still[0])
        if bool((seen.there > 0).any()):
            before = F.linear(seen.frames[:, -1].flatten(1), weight, bias)
            first = (still[0] - before) * seen.there[:, None].to(still.dtype)
        moving = torch.cat([first[None], still.diff(dim=0)]) + bias.to(still.dtype)
        return self._features(still.flatten(0, 1), moving.flatten(0, 1)).view(*frames.shape[:2], -1)

    def _features(self, still: Float[Tensor, "R K"], moving: Float[Tensor, "R K"]) -> Float[Tensor, "R F"]:
        x = torch.cat([still, CHANGE_SCALE * moving], dim=1)
        x = affine((x,), (self.linear.weight,), (self.linear.bias,))
        return F.relu(self.norm(x.to(self.norm.weight.dtype)))


class SkeletonEncoder(FrameEncoder):
    """Measurements of a skeleton through a linear layer: places relative to the root, moves, and bones' directions."""

    def __init__(self, config: Config, facts: VideoFacts) -> None:
        super().__init__()
        self.spans = (1,) if config.span == 1 else (1, config.span)
        self.linear = nn.Linear(3 * ((1 + len(self.spans)) * facts.channels + len(BONES)), config.features)
        self.norm = nn.LayerNorm(config.features)

    def normalise(self, frame: Float[Tensor, "B J H C"]) -> Float[Tensor, "B J H C"]:
        """Return the frame as it is: metres."""
        return frame

    def forward(self, frame: Float[Tensor, "B J H C"], *changes: Float[Tensor, "B J H C"]) -> Float[Tensor, "B F"]:
        """Return the features of joints [B, J, 1, 3] and their moves since earlier frames."""
        joints = frame.squeeze(2)
        relative = joints - joints[:, ROOT : ROOT + 1]
        parents, children = ([bone[end] for bone in BONES] for end in (0, 1))
        bones = F.normalize(joints[:, children] - joints[:, parents], dim=2)
        moves = [MOVE_SCALE / span**0.5 * change.squeeze(2) for span, change in zip(self.spans, changes, strict=True)]
        measured = [PLACE_SCALE * relative, *moves, bones]
        x = torch.cat([part.flatten(1) for part in measured], dim=1)
        x = affine((x,), (self.linear.weight,), (self.linear.bias,))
        return F.relu(self.norm(x.to(self.norm.weight.dtype)))


Encoder = PictureEncoder | ComponentEncoder | SkeletonEncoder


def build_encoder(config: Config, facts: VideoFacts) -> Encoder:
    """Build the encoder for frames of that kind."""
    if facts.kind == "joints":
        return SkeletonEncoder(config, facts)
    return (ComponentEncoder if config.encoder == "components" else PictureEncoder)(config, facts)
