"""Random changes of training clips: pictures are mirrored, shifted and dimmed; skeletons turned and stretched.

A clip is changed in the same way in all its frames, by numbers that depend on the seed and the step alone.
"""

import torch
from scipy.special import betaincinv
from torch import Tensor

from saccade.pipeline.data.seeded_random import integers, permutation
from saccade.videos.joints import BONES, ROOT
from saccade.videos.recordings import FINE, Clips

PITCH = 0.4
"""Most of the turn forward and backward, as a part of the turn around the vertical axis."""


def pictures(clips: Clips, seed: int, step: int, *, mirror: bool, shift: int, contrast: float) -> Clips:
    """Mirror half of the clips, shift them by up to `shift` pixels, and change contrast and brightness.

    Args:
        clips: uint8 [B, T, C, H, W].
        seed: the run's.
        step: the batch's number.
        mirror: swap left and right in half of the clips.
        shift: most pixels, horizontally and vertically; the outermost pixels are repeated.
        contrast: most change of the contrast, and of the brightness, as a fraction.
    """
    frames = clips.frames
    size, steps, _, height, width = frames.shape
    drawn = integers(seed, "clip pictures", step, size, [2, 2 * shift + 1, 2 * shift + 1, FINE, FINE])
    if mirror:
        frames = torch.where(drawn[:, 0].bool()[:, None, None, None, None], frames.flip(-1), frames)
    if shift:
        rows = (torch.arange(height) + (drawn[:, 1:2] - shift)).clamp_(0, height - 1)
        columns = (torch.arange(width) + (drawn[:, 2:3] - shift)).clamp_(0, width - 1)
        frames = torch.stack([clip[:, :, r][..., c] for clip, r, c in zip(frames, rows, columns, strict=True)])
    if contrast:
        scale, lift = (2 * drawn[:, 3:].float() / FINE - 1)[:, :, None, None, None, None].unbind(1)
        changed = frames.float() * (1 + contrast * scale) + 255 * 0.5 * contrast * lift
        frames = changed.round_().clamp_(0, 255).to(torch.uint8)
        frames[torch.arange(steps) >= clips.lengths[:, None]] = 0
    return clips._replace(frames=frames)


def skeletons(clips: Clips, seed: int, step: int, *, turn: float, stretch: float) -> Clips:
    """Turn skeletons around the vertical axis (and a little forward), and stretch every bone and the whole body.

    Args:
        clips: joints [B, T, J, 3].
        seed: the run's.
        step: the batch's number.
        turn: largest angle, radians.
        stretch: largest change of a bone's length, and of the body's size, as a fraction.
    """
    size = len(clips.frames)
    drawn = integers(seed, "clip joints", step, size, [FINE] * (3 + len(BONES)))
    drawn = 2 * drawn.float() / FINE - 1  # [B, 3 + bones] in [-1, 1]
    factors = 1 + stretch * drawn[:, 3:]
    frames = stretched(clips.frames, factors) * (1 + stretch * drawn[:, 2])[:, None, None, None]
    rotation = rotations(turn * drawn[:, 0], PITCH * turn * drawn[:, 1])
    return clips._replace(frames=torch.einsum("btjc,bdc->btjd", frames, rotation))


def mixed(clips: Clips, seed: int, step: int, *, strength: float) -> Clips:
    """Mix every clip with another one of the batch (Zhang et al. 2018, mixup); all have one length.

    Args:
        clips: joints [B, T, J, 3].
        seed: the run's.
        step: the batch's number.
        strength: alpha of Beta(alpha, alpha), from which the other's share is drawn; small: mostly near 0 or 1.
    """
    size = len(clips.frames)
    others = permutation(seed, "clip partners", step, size)
    drawn = (integers(seed, "clip shares", step, size, [FINE])[:, 0].double() + 0.5) / FINE
    shares = torch.from_numpy(betaincinv(strength, strength, drawn.numpy())).float()
    frames = torch.lerp(clips.frames, clips.frames[others], shares[:, None, None, None])
    return clips._replace(frames=frames, others=clips.labels[others], shares=shares)


def stretched(joints: Tensor, factors: Tensor) -> Tensor:
    """Return skeletons [B, T, J, 3] whose bones are longer by a factor each [B, bones]; the root stays."""
    places: list[Tensor | None] = [None] * joints.shape[2]
    places[ROOT] = joints[:, :, ROOT]
    for bone, (parent, child) in enumerate(BONES):
        start = places[parent]
        assert start is not None, "bones are listed from the root outwards"
        places[child] = start + factors[:, bone, None, None] * (joints[:, :, child] - joints[:, :, parent])
    return torch.stack([place for place in places if place is not None], dim=2)


def rotations(yaw: Tensor, pitch: Tensor) -> Tensor:
    """Return rotation matrices [B, 3, 3] by angles around the vertical axis y and the horizontal axis x [B]."""
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)
    around_y = torch.stack([yaw.cos(), zero, -yaw.sin(), zero, one, zero, yaw.sin(), zero, yaw.cos()], dim=1)
    around_x = torch.stack([one, zero, zero, zero, pitch.cos(), -pitch.sin(), zero, pitch.sin(), pitch.cos()], dim=1)
    return around_y.view(-1, 3, 3) @ around_x.view(-1, 3, 3)
