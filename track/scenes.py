"""Things that move before a background: balls on black, or textured things before photographs.

The photographs are the two that scikit-learn brings along (a temple, a flower). Backgrounds and textures of training
are cut from the left three quarters of each, those of held-out videos from the right quarter. A thing moves with random
accelerations and bounces off the frame's edges; it grows, shrinks, turns; its texture and brightness change slowly.
"""

import functools
import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from saccade.pipeline.data.seeded_random import integers
from saccade.track.config import FRAME

FINE = 1 << 20
BACKGROUND, TEXTURE = 96, 24
"""Side of a background and of a texture, in pixels."""

POOL = 600
"""Number of backgrounds, and of textures, that are cut from the photographs."""

THINGS = 4
"""Most things in a video: the target is the last but one, what passes in front of it the last."""

HIDDEN = 0.5
"""A target of which more than this fraction is covered counts as hidden."""


class Material(NamedTuple):
    """Backgrounds and textures of scenes."""

    backgrounds: Tensor
    """uint8 [POOL, 3, BACKGROUND, BACKGROUND]."""
    textures: Tensor
    """uint8 [POOL, 3, TEXTURE, TEXTURE]."""


class Motion(NamedTuple):
    """Places and looks of K things in T frames."""

    centre: Tensor
    """Pixels from the upper left corner [B, T, K, 2]."""
    half: Tensor
    """Half width and height in pixels [B, T, K, 2]."""
    angle: Tensor
    """Radians [B, T, K]."""
    light: Tensor
    """Factor of the brightness [B, T, K]."""


@functools.cache
def load_material(part: str) -> Material:
    """Cut backgrounds and textures from scikit-learn's photographs: those of "train" or of "test"."""
    from sklearn.datasets import load_sample_images

    photographs = [torch.from_numpy(image.copy()).permute(2, 0, 1) for image in load_sample_images().images]
    edge = round(0.75 * photographs[0].shape[2])
    photographs = [photo[:, :, :edge] if part == "train" else photo[:, :, edge:] for photo in photographs]
    return Material(_cut(photographs, part, BACKGROUND, 1.6), _cut(photographs, part, TEXTURE, 5.0))


def _cut(photographs: list[Tensor], part: str, side: int, largest: float) -> Tensor:
    """Cut squares of 1 to `largest` times `side` pixels, and scale them to `side`."""
    drawn = uniform(0, f"photographs: {part} {side}", 0, POOL, 3)
    found = []
    for n, (scale, left, top) in enumerate(drawn.tolist()):
        photo = photographs[n % len(photographs)]
        size = round(side * largest**scale)
        x, y = int(left * (photo.shape[2] - size + 1)), int(top * (photo.shape[1] - size + 1))
        patch = photo[None, :, y : y + size, x : x + size].float()
        found.append(F.interpolate(patch, size=(side, side), mode="bilinear", antialias=True)[0])
    return torch.stack(found).round().clamp(0, 255).to(torch.uint8)


def uniform(seed: int, purpose: str, step: int, count: int, columns: int) -> Tensor:
    """Draw numbers in [0, 1): float32 [count, columns]."""
    return integers(seed, purpose, step, count, [FINE] * columns).float() / FINE


def draw_scenes(
    material: Material, seed: int, purpose: str, step: int, count: int, frames: int, kind: str, hidden_percent: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw videos of "balls" or "scenes"; the same arguments give the same ones.

    Returns:
        Frames uint8 [B, T, 3, 64, 64], the target's box [B, T, 4], and where it is visible, bool [B, T].
    """
    purpose = f"{purpose}: {kind}"
    scenes = kind == "scenes"
    motion = moves(seed, purpose, step, count, frames, scenes=scenes)
    look = uniform(seed, f"{purpose}: look", step, count * THINGS, 12).view(count, THINGS, 12)
    there = look[:, :, 0] < 0.7  # each of the other things
    there[:, -2] = True
    there[:, -1] = look[:, -1, 1] * 100 < hidden_percent
    motion = _crossing(motion, look, frames)
    canvas = _backgrounds(material, seed, purpose, step, count, frames) if scenes else None
    if canvas is None:
        canvas = torch.zeros(count, frames, 3, FRAME, FRAME)
    masks = torch.stack([_mask(motion, k, look[:, k, 2], scenes) for k in range(THINGS)], dim=2)
    masks = masks * there[:, None, :, None, None]
    for k in range(THINGS):
        paint = _texture(material, motion, k, look[:, k], scenes)
        canvas = canvas + masks[:, :, k, None] * (paint - canvas)
    target, cover = masks[:, :, -2], masks[:, :, -1]
    covered = (target * cover).sum((2, 3)) / target.sum((2, 3)).clamp(min=1e-6)
    box = torch.cat([motion.centre[:, :, -2], motion.half[:, :, -2]], dim=2) * (2 / FRAME)
    box[..., :2] -= 1
    return canvas.round().clamp(0, 255).to(torch.uint8), box, covered < HIDDEN


def moves(seed: int, purpose: str, step: int, count: int, frames: int, *, scenes: bool) -> Motion:
    """Draw how the things move; balls are round, and keep their size and velocity."""
    drawn = uniform(seed, f"{purpose}: things", step, count * THINGS, 12).view(count, 1, THINGS, 12)
    jolts = uniform(seed, f"{purpose}: jolts", step, count * THINGS, 2 * frames).view(count, THINGS, frames, 2)
    time = torch.arange(frames).view(1, -1, 1)
    half = 5 + 7 * drawn[..., :2] ** 1.5 if scenes else (4 + 4 * drawn[..., :1]).expand(-1, -1, -1, 2)
    swell = 0.3 * drawn[..., 2] * torch.sin(time * (0.1 + 0.3 * drawn[..., 3]) + 6.3 * drawn[..., 4])
    half = half * (swell - swell[:, :1]).exp()[..., None] if scenes else half.expand(-1, frames, -1, -1)
    speed, course = (0.6 if scenes else 0.3) * half[:, :1].mean(-1) * 2 * drawn[..., 5] ** 2 + 0.5, 6.3 * drawn[..., 6]
    velocity = speed[..., None] * torch.stack([course.cos(), course.sin()], dim=-1)
    shaking = (jolts.transpose(1, 2) - 0.5) * (speed[..., None] * 2 * drawn[..., 7:8]) if scenes else 0
    walked = velocity * time[..., None] + (shaking.cumsum(1) if isinstance(shaking, Tensor) else 0)
    low = 0.7 * half.mean(-1, keepdim=True)
    room = FRAME - 2 * low
    centre = low + _folded(drawn[..., 8:10] * room + walked, room)
    angle = (time * (drawn[..., 10] - 0.5) * 0.12) if scenes else torch.zeros(count, frames, THINGS)
    light = 1 + (0.5 * (drawn[..., 11] - 0.5) * torch.sin(time * 0.2) if scenes else torch.zeros_like(angle))
    return Motion(centre, half, angle, light)


def _folded(walked: Tensor, room: Tensor) -> Tensor:
    """Return places of something that bounces between 0 and `room`, from those it would have without walls."""
    return room - (torch.remainder(walked, 2 * room) - room).abs()


def _crossing(motion: Motion, look: Tensor, frames: int) -> Motion:
    """Let the last thing cross the target, at a random time and speed; it does not cover it in the first frame."""
    time = torch.arange(frames).view(1, -1, 1)
    at, course = 0.4 + 0.6 * look[:, -1, 3, None, None], 6.3 * look[:, -1, 4]
    speed = 2 * motion.half[:, 0, -2].mean(1) * (4 + 5 * look[:, -1, 5]) / frames
    relative = (time - at * frames) * (speed[:, None] * torch.stack([course.cos(), course.sin()], dim=1))[:, None]
    centre, half = motion.centre.clone(), motion.half.clone()
    centre[:, :, -1] = centre[:, :, -2] + relative
    half[:, :, -1] = half[:, :, -2] * (0.8 + 0.6 * look[:, -1, 6, None, None])
    return motion._replace(centre=centre, half=half)


def _coordinates(motion: Motion, k: int) -> tuple[Tensor, Tensor]:
    """Return each pixel's place (u, v) in a thing's own frame, [-1, 1] inside it: [B, T, 64, 64] each."""
    pixels = torch.arange(FRAME) + 0.5
    x = pixels - motion.centre[:, :, k, 0, None, None]
    y = (pixels - motion.centre[:, :, k, 1, None])[..., None]
    cos, sin = motion.angle[:, :, k, None, None].cos(), motion.angle[:, :, k, None, None].sin()
    width, height = (motion.half[:, :, k, axis, None, None] for axis in (0, 1))
    return (cos * x + sin * y) / width, (cos * y - sin * x) / height


def _mask(motion: Motion, k: int, shape: Tensor, scenes: bool) -> Tensor:
    """Return a thing's opacity [B, T, 64, 64]: an ellipse, or in scenes anything from an ellipse to a rectangle."""
    u, v = _coordinates(motion, k)
    if not scenes:
        distance = (u.square() + v.square()).sqrt()
    else:
        power = 2 + 10 * shape.square()[:, None, None, None]
        distance = (u.abs().clamp(min=1e-3) ** power + v.abs().clamp(min=1e-3) ** power) ** (1 / power)
    return ((1 - distance) * motion.half[:, :, k].mean(-1)[..., None, None] + 0.5).clamp(0, 1)


def _texture(material: Material, motion: Motion, k: int, look: Tensor, scenes: bool) -> Tensor:
    """Return a thing's colours [B, T, 3, 64, 64]: a ball is of one colour, other things change to a second texture."""
    count, frames = motion.angle.shape[:2]
    if not scenes:
        return (80 + 175 * look[:, None, 7:10, None, None]).expand(-1, frames, -1, 1, 1)
    chosen = (look[:, 7:9] * POOL).long()
    tint = 0.6 + 0.8 * look[:, 9:12, None, None]
    first, second = (material.textures[chosen[:, n]].float() * tint for n in (0, 1))
    amount = (look[:, 2] * torch.arange(frames)[:, None] / max(frames, 20)).t()[:, :, None, None, None]
    blend = first[:, None] + amount * (second - first)[:, None]  # [B, T, 3, h, w]
    where = torch.stack(_coordinates(motion, k), dim=-1).flatten(0, 1)  # [B T, 64, 64, 2]
    seen = F.grid_sample(blend.flatten(0, 1), where, padding_mode="border", align_corners=False)
    return seen.view(count, frames, 3, FRAME, FRAME) * motion.light[:, :, k, None, None, None]


def _backgrounds(material: Material, seed: int, purpose: str, step: int, count: int, frames: int) -> Tensor:
    """Return a part of a photograph, past which the camera moves [B, T, 3, 64, 64]."""
    drawn = uniform(seed, f"{purpose}: background", step, count, 8)
    whole = material.backgrounds[(drawn[:, 0] * POOL).long()].float() * (0.6 + 0.8 * drawn[:, 1:4, None, None])
    room = BACKGROUND - FRAME
    course = 2 * math.pi * drawn[:, 4]
    velocity = 2 * drawn[:, 5, None] ** 2 * torch.stack([course.cos(), course.sin()], dim=1)
    walked = drawn[:, None, 6:8] * room + velocity[:, None] * torch.arange(frames).view(1, -1, 1)
    corner = _folded(walked, torch.tensor(float(room))).round().long().clamp(0, room)  # [B, T, 2]
    views = whole.unfold(2, FRAME, 1).unfold(3, FRAME, 1)  # [B, 3, room + 1, room + 1, 64, 64]
    example = torch.arange(count)[:, None]
    return views[example, :, corner[..., 1], corner[..., 0]]
