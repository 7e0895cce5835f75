"""Frames of a tracking: window, answer and truth where they are, and "lost" said."""

import numpy as np
import torch

from saccade.pipeline.animate.page import Box
from saccade.pipeline.animate.palette import BELIEF, GAZE, WHITE, WRONG, Colour
from saccade.pipeline.contract import Episode, Trace
from saccade.track.config import TrackFacts
from saccade.track.model import First, Step
from saccade.track.picture import CHART, SIGHT, VIDEO, fitted, picture, tile
from saccade.track.videos import Videos

COUNT = 8


def trace(
    confidence: float = 2.0, *, known: bool = True, width: int = 60, height: int = 34, examples: int = 1
) -> Trace:
    """Three steps on a grey video; the answer is left of the middle, the truth right of it."""
    shape = (3, examples)
    boxes = torch.tensor([-0.4, 0, 0.2, 0.3]).expand(*shape, 4)
    window = torch.tensor([-0.4, 0, 0.5, 0.6]).expand(*shape, 4)
    place = torch.full((*shape, COUNT, COUNT), -20.0)
    place[..., 2, 5] = 0
    frames = torch.full((3, examples, 1, height, width), 128, dtype=torch.uint8)
    patch = torch.full((*shape, 1, COUNT, COUNT), 0.5)
    outputs = Step(
        boxes, place, torch.full(shape, confidence), torch.zeros(shape), window, torch.ones(*shape, 2), patch
    )
    truth = torch.tensor([0.4, 0, 0.2, 0.3]).expand(examples, 4, 4)
    truth = truth if known else truth * torch.nan
    videos = Videos(torch.cat([frames[:1], frames]).transpose(0, 1), truth, torch.ones(examples, 4, dtype=torch.bool))
    return Trace("track", outputs, Episode(frames, First(frames[0], truth[:, 0])), videos, TrackFacts(1, height, width))


def columns(page: np.ndarray, colour: Colour, box: Box = VIDEO) -> np.ndarray:
    """The columns, in the box, in which a colour stands."""
    part = page[box.top : box.top + box.height, box.left : box.left + box.width]
    return np.nonzero((part == np.array(colour, np.uint8)).all(2).any(0))[0]


def test_boxes_stand_where_they_are() -> None:
    page = picture(trace(), 1, 0)
    assert page.shape == (540, 960, 3) and page.dtype == np.uint8
    width, _ = fitted(60, 34, VIDEO)
    assert width == 600 and VIDEO.width == 600
    answer, window, truth = (columns(page, colour) for colour in (BELIEF, GAZE, WHITE))
    assert abs(answer.min() - 0.2 * 600) <= 3 and abs(answer.max() - 0.4 * 600) <= 3
    assert abs(window.min() - 0.05 * 600) <= 3 and abs(window.max() - 0.55 * 600) <= 3
    assert abs(truth.min() - 0.6 * 600) <= 3 and abs(truth.max() - 0.8 * 600) <= 3
    assert np.array_equal(page, picture(trace(), 1, 0)) and not np.array_equal(page, picture(trace(), 2, 0))


def test_a_lost_target_is_told_and_its_answer_is_dashed() -> None:
    sure, lost = picture(trace(), 0, 0), picture(trace(-2.0), 0, 0)
    top = Box(700, 0, 260, 90)
    assert len(columns(sure, WRONG, top)) == 0 and len(columns(lost, WRONG, top)) > 10
    assert 0 < (lost == np.array(BELIEF)).all(2).sum() < (sure == np.array(BELIEF)).all(2).sum()
    assert len(columns(lost, WRONG, CHART)) > 10


def test_the_truth_is_drawn_only_where_it_is_known() -> None:
    assert len(columns(picture(trace(known=False), 0, 0), WHITE)) == 0


def test_the_likeliest_place_glows_in_what_the_window_sees() -> None:
    page = picture(trace(), 0, 0)
    seen = page[SIGHT.top : SIGHT.top + SIGHT.height, SIGHT.left : SIGHT.left + SIGHT.width].astype(int)
    cell = SIGHT.width // COUNT
    glowing = seen[2 * cell + cell // 2, 5 * cell + cell // 2]
    assert glowing[0] - glowing[2] > 100 and np.ptp(seen[cell // 2, cell // 2]) == 0


def test_tiles_are_smaller_on_a_wall_of_many_and_odd_sizes_are_drawn() -> None:
    assert tile(trace(examples=2), 0, 1).shape == (192, 192, 3)
    assert tile(trace(examples=17), 2, 16).shape == (96, 96, 3)
    for width, height in ((1, 1), (3, 900), (2000, 10)):
        assert picture(trace(width=width, height=height), 0, 0).shape == (540, 960, 3)
