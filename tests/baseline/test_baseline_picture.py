"""The picture of one look: its size, the image's pixels, and that the bars and the verdict follow the belief."""

import numpy as np
import pytest
import torch

from saccade.baseline.model import Look
from saccade.baseline.picture import CHART, PANEL, picture
from saccade.images.config import Shape
from saccade.images.source import ImageBatch
from saccade.pipeline.animate.belief_chart import Belief, lanes, most_probable
from saccade.pipeline.animate.palette import BELIEF, RIGHT, STAGE, WRONG
from saccade.pipeline.contract import Episode, Trace
from tests.images.cases import facts_of

CLASSES = tuple("0123456789")


def trace(logits: torch.Tensor, target: int, image: torch.Tensor | None = None) -> Trace:
    image = torch.zeros(1, 28, 28) if image is None else image
    facts = facts_of(Shape(*image.shape, classes=len(CLASSES)), CLASSES)
    batch = ImageBatch(image[None], torch.tensor([target]))
    return Trace("baseline", Look(logits[None, None]), Episode(None), batch, facts)


def has(pixels: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((pixels == np.array(colour, dtype=np.uint8)).all(axis=2).any())


def certain(answer: int) -> torch.Tensor:
    return torch.full((10,), -20.0).index_fill(0, torch.tensor(answer), 20.0)


@pytest.mark.parametrize(("target", "shown", "hidden"), [(3, RIGHT, WRONG), (5, WRONG, RIGHT)])
def test_the_verdict_follows_the_truth(target: int, shown: tuple[int, int, int], hidden: tuple[int, int, int]) -> None:
    frame = picture(trace(certain(3), target), 0, 0)
    assert frame.shape == (540, 960, 3)
    assert frame.dtype == np.uint8
    assert has(frame, shown)
    assert not has(frame, hidden)


def test_nobody_knows_the_truth_of_a_persons_own_image() -> None:
    frame = picture(trace(certain(3), -1), 0, 0)
    assert not has(frame, RIGHT)
    assert not has(frame, WRONG)


def test_the_bar_is_as_long_as_the_class_is_probable() -> None:
    logits = torch.tensor([0.5, 0.25] + [0.03125] * 8).log()
    frame = picture(trace(logits, 0), 0, 0)
    probabilities = logits.exp().double().numpy()
    belief = Belief(probabilities, None, CLASSES, 0, most_probable(probabilities[None], 0), True)
    lane = lanes(CHART, belief)[0]
    row = frame[lane.top + lane.height // 2, lane.left : lane.left + lane.width]
    assert (row == BELIEF).all(axis=1).sum() == round(0.5 * lane.width)


def test_the_image_is_shown_whole_and_crisp() -> None:
    image = torch.zeros(3, 20, 20)
    image[0, 0, 0] = image[1, -1, -1] = 1.0
    frame = picture(trace(certain(1), 1, image), 0, 0)
    panel = frame[PANEL.top : PANEL.top + PANEL.height, PANEL.left : PANEL.left + PANEL.width]
    assert (panel[:20, :20] == (255, 0, 0)).all()
    assert (panel[-20:, -20:] == (0, 255, 0)).all()
    assert (panel[20:-20, 20:-20] == 0).all()


def test_an_oblong_image_stands_on_the_stage() -> None:
    frame = picture(trace(certain(1), 1, torch.ones(1, 10, 20)), 0, 0)
    panel = frame[PANEL.top : PANEL.top + PANEL.height, PANEL.left : PANEL.left + PANEL.width]
    assert (panel[:100] == STAGE).all()
    assert (panel[100:300] == 255).all()
    assert (panel[300:] == STAGE).all()
