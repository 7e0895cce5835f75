"""Nearest training images against a plain search, and what is said of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from saccade.draw.neighbours import CAPTION, GAP, TILE, compare, nearest, sheet
from saccade.errors import InputError
from saccade.images.config import ImageData, Shape
from saccade.images.picture_files import Images
from saccade.images.source import ImageBatch, ImageSource, load_images
from saccade.pipeline.animate import film as animate
from saccade.pipeline.contract import Episode, Trace
from tests.images.cases import facts_of


def source(count: int = 37) -> ImageSource:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 1, 6, 5), generator=generator, dtype=torch.uint8)
    images = Images(pixels, torch.arange(count) % 3)
    return ImageSource(images, images, ("a", "b", "c"), 0)


def trace(images: torch.Tensor) -> Trace:
    labels = torch.zeros(len(images), dtype=torch.int64)
    facts = facts_of(Shape(*images.shape[1:], classes=3), ("a", "b", "c"))
    return Trace("draw", (), Episode(None), ImageBatch(images, labels), facts)


@pytest.mark.parametrize("size", [1, 5, 37, 1000])
def test_the_nearest_of_all_however_they_are_batched(size: int) -> None:
    its, pictures = source(), torch.rand(9, 1, 6, 5, generator=torch.Generator().manual_seed(1))
    everything = torch.cat([batch.images for batch in its.stored(size)])
    assert len(everything) == its.examples == 37
    assert max(len(batch.images) for batch in its.stored(size)) == min(size, 37)
    distances = (pictures[:, None] - everything[None]).flatten(2).norm(dim=2)
    found = nearest(pictures, its.stored(size))
    assert found.number.tolist() == distances.argmin(1).tolist()
    torch.testing.assert_close(found.distance, distances.min(1).values)
    assert torch.equal(found.images, everything[found.number])
    assert found.labels.tolist() == [i % 3 for i in found.number.tolist()]


def test_a_copy_is_found_at_distance_0() -> None:
    its = source()
    copies = next(its.stored()).images[[4, 30]]
    assert nearest(copies, its.stored(8)).number.tolist() == [4, 30]
    _, said = compare(trace(copies), its)
    assert said["median_distance"] == 0
    assert [pair["training_image"] for pair in said["nearest"]] == [4, 30]
    assert [pair["class"] for pair in said["nearest"]] == ["b", "a"]
    assert said["held_out_median_distance"] == 0  # here the held-out images are the training images


def test_held_out_images_are_not_searched() -> None:
    images = Images(torch.arange(30, dtype=torch.uint8).view(30, 1, 1, 1).repeat(1, 1, 2, 2), torch.zeros(30).long())
    its = ImageSource(images, images, ("a",), 0, validation=10)
    kept = its.held_out("validation").images
    assert (nearest(kept, its.stored()).distance > 0).all()


def test_images_that_are_composed_anew_have_no_neighbours(mnist: Path) -> None:
    its = load_images(ImageData(dataset="cluttered", data_dir=str(mnist)), 0)
    with pytest.raises(InputError, match="a fixed set of training images"):
        next(its.stored())


def test_the_sheet_shows_each_picture_beside_its_neighbour(tmp_path: Path) -> None:
    pictures = torch.zeros(3, 1, 4, 4)
    found = nearest(pictures, [ImageBatch(torch.ones(1, 1, 4, 4), torch.tensor([0]))])
    with Image.open(sheet(trace(pictures), found, tmp_path / "a.png")) as image:
        pixels = np.asarray(image)
    left, top = animate.GAP, animate.GAP + animate.CAPTION_HEIGHT
    assert pixels.shape[1] == 2 * animate.GAP + 2 * TILE + GAP  # one pair a row
    assert pixels.shape[0] == 3 * (TILE + CAPTION) + 4 * animate.GAP + animate.CAPTION_HEIGHT
    assert pixels[: animate.CAPTION_HEIGHT].std() > 5  # the caption
    assert (pixels[top : top + TILE, left : left + TILE] == 0).all()
    assert (pixels[top : top + TILE, left + TILE + GAP : left + 2 * TILE + GAP] == 255).all()
    assert found.distance.tolist() == [4.0] * 3
