"""The nearest training images of a network's drawings: they show if it copies."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from saccade.images.source import ImageBatch, ImageSource
from saccade.json_types import Record
from saccade.pipeline.animate import film
from saccade.pipeline.animate.page import Page, magnified_size, resize, to_pixels
from saccade.pipeline.animate.palette import QUIET
from saccade.pipeline.contract import Trace
from saccade.pipeline.progress import work

REFERENCE = 100
"""Number of held-out images whose distances are reported for comparison."""

TILE, GAP, CAPTION = 84, 2, 18
"""Pixels: an image's side, between an image and its neighbour, and below them."""

SIDES = "drawn | nearest training image"
"""Caption of a sheet."""


class Neighbours(NamedTuple):
    """For each of B pictures the nearest training image: L2 distance, index in the training set, image and label."""

    distance: Tensor  # [B]
    number: Tensor  # int64 [B]
    images: Tensor  # float32 [B, C, H, W]
    labels: Tensor  # int64 [B]


def nearest(pictures: Tensor, batches: Iterable[ImageBatch]) -> Neighbours:
    """Find the image in `batches` nearest to each picture, float32 [B, C, H, W] in [0, 1], by L2 over the pixels.

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
        squares = others.square().sum(1) - 2 * flat @ others.t()  # the picture's own square does not change the order
        found = squares.argmin(1)
        distance = (flat - others[found]).norm(dim=1)  # computed again: the difference of large squares is inexact
        closer = distance < best.distance
        new = Neighbours(distance, found + seen, images[found], labels[found])
        best = Neighbours(*(_choose(closer, a, b) for a, b in zip(new, best, strict=True)))
        seen += len(images)
    return best


def compare(trace: Trace, source: ImageSource) -> tuple[Neighbours, Record]:
    """Find the neighbours of the drawings (mean images); report their distances, and those of held-out images.

    Raises:
        InputError: the dataset makes new training images for every batch.
    """
    with work("comparing with the training images", 2) as advance:
        found = nearest(trace.batch.images.to(source.device), source.stored())
        advance(1)
        held_out = nearest(source.held_out("test").images[:REFERENCE], source.stored())
    rows = zip(found.distance.tolist(), found.number.tolist(), found.labels.tolist(), strict=True)
    pairs = [{"distance": d, "training_image": i, "class": source.facts.classes[label]} for d, i, label in rows]
    medians = {"median_distance": found.distance.median().item()}
    medians |= {"held_out_median_distance": held_out.distance.median().item()}
    return found, {**medians, "nearest": pairs}


def sheet(trace: Trace, found: Neighbours, path: Path, *, overwrite: bool = False) -> Path:
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
    columns = max(1, round(math.sqrt(len(pairs) / 2)))
    return film.write_strip(path, pairs, columns, caption=SIDES, overwrite=overwrite)


def _choose(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Choose row by row: from `a` where the condition holds, else from `b`."""
    return torch.where(condition.view(-1, *[1] * (a.ndim - 1)), a, b)
