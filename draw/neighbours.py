"""The training images nearest to what a network drew, so that one sees whether it copies."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from saccade.images.source import ImageBatch, ImageSource
from saccade.pipeline.animate import film
from saccade.pipeline.animate.page import Page, magnified_size, resize, to_pixels
from saccade.pipeline.animate.palette import QUIET
from saccade.pipeline.contract import Trace

REFERENCE = 100
"""Held-out images whose own distances are given for comparison."""

TILE, GAP, CAPTION = 84, 2, 18
"""Pixels: an image's side, between an image and its neighbour, and below them."""


class Neighbours(NamedTuple):
    """Of each of B pictures the nearest training image: its L2 distance, its number, itself and its label."""

    distance: Tensor  # [B]
    number: Tensor  # int64 [B]
    images: Tensor  # float32 [B, C, H, W]
    labels: Tensor  # int64 [B]


def nearest(pictures: Tensor, batches: Iterable[ImageBatch]) -> Neighbours:
    """The nearest of all images in `batches` to each picture, float32 [B, C, H, W] in [0, 1], by L2 over the pixels.

    Memory: one batch and its distances [B, batch] at a time.
    """
    flat, count = pictures.flatten(1), len(pictures)
    best = Neighbours(
        torch.full((count,), math.inf, device=flat.device),
        torch.zeros(count, dtype=torch.int64, device=flat.device),
        torch.zeros_like(pictures),
        torch.zeros(count, dtype=torch.int64, device=flat.device),
    )
    seen = 0
    for images, labels, _ in batches:
        others = images.flatten(1)
        squares = others.square().sum(1) - 2 * flat @ others.t()  # the picture's own square changes no order
        found = squares.argmin(1)
        distance = (flat - others[found]).norm(dim=1)  # anew: the difference of large squares is rough
        closer = distance < best.distance
        new = Neighbours(distance, found + seen, images[found], labels[found])
        best = Neighbours(*(_choose(closer, ours, theirs) for ours, theirs in zip(new, best, strict=True)))
        seen += len(images)
    return best


def compare(trace: Trace, source: ImageSource) -> tuple[Neighbours, dict[str, Any]]:
    """The neighbours of what was drawn (its mean images), and their distances beside those of held-out images.

    Raises:
        InputError: training images that are drawn anew for every batch.
    """
    found = nearest(trace.batch.images.to(source.device), source.stored())
    held_out = nearest(source.held_out("test").images[:REFERENCE], source.stored())
    rows = zip(found.distance.tolist(), found.number.tolist(), found.labels.tolist(), strict=True)
    pairs = [{"distance": d, "training_image": i, "class": source.facts.classes[label]} for d, i, label in rows]
    medians = {"median_distance": found.distance.median().item()}
    medians |= {"held_out_median_distance": held_out.distance.median().item()}
    return found, {**medians, "nearest": pairs}


def sheet(trace: Trace, found: Neighbours, path: Path) -> Path:
    """Write every drawn image with its nearest training image to its right, and their distance, as one PNG."""
    pictures, others = trace.batch.images.cpu().numpy(), found.images.cpu().numpy()
    height, width = pictures.shape[2:]
    width, height = magnified_size(width, height, TILE)
    pairs = []
    for picture, other, distance in zip(pictures, others, found.distance.tolist(), strict=True):
        page = Page(2 * width + GAP, height + CAPTION)
        page.paste(resize(to_pixels(picture), width, height), 0, 0)
        page.paste(resize(to_pixels(other), width, height), width + GAP, 0)
        page.text(f"distance {distance:.1f}", width + GAP / 2, height + CAPTION - 5, 12, QUIET, align="middle")
        pairs.append(page.pixels())
    return film.write_strip(path, pairs, max(1, round(math.sqrt(len(pairs) / 2))))


def _choose(condition: Tensor, ours: Tensor, theirs: Tensor) -> Tensor:
    """Row by row."""
    return torch.where(condition.view(-1, *[1] * (ours.ndim - 1)), ours, theirs)
