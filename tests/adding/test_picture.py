"""Frames of the adding problem: bars for the numbers, orange for the marked ones, the answers as a line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from saccade.adding.config import AddingFacts, Config
from saccade.adding.picture import ANSWERS, HEIGHT, MOST, NUMBERS, WIDTH, picture
from saccade.adding.sequences import Sequences, draw
from saccade.adding.system import SYSTEM
from saccade.pipeline.animate.page import Box
from saccade.pipeline.animate.palette import BELIEF, FAINT, GAZE, OTHER_BELIEF, Colour
from saccade.pipeline.animate.show import strip_frames, write_film
from saccade.pipeline.contract import Trace


def trace_of(batch: Sequences, answers: torch.Tensor | None = None) -> Trace:
    """A trace with those answers [T, B]; 1 at every step by default."""
    outputs = torch.ones(batch.numbers.t().shape) if answers is None else answers
    episode = SYSTEM.episode(batch, Config(), torch.Generator())
    return Trace("adding", outputs, episode, batch, AddingFacts(2, max(2, batch.numbers.shape[1])))


def four() -> Sequences:
    """One sequence of four numbers, the second and the fourth marked, in a batch as long as six."""
    numbers, marks = torch.zeros(1, 6), torch.zeros(1, 6)
    numbers[0, :4] = torch.tensor([0.5, 1.0, 0.25, 0.75])
    marks[0, 1] = marks[0, 3] = 1
    return Sequences(numbers, marks, torch.tensor([4]), torch.tensor([1.75]))


def part(pixels: NDArray[Any], box: Box) -> NDArray[Any]:
    return pixels[box.top : box.top + box.height, box.left : box.left + box.width]


def has(pixels: NDArray[Any], colour: Colour) -> NDArray[np.bool_]:
    return (pixels == np.array(colour, np.uint8)).all(axis=2)


@pytest.mark.parametrize(("shortest", "longest"), [(2, 2), (2, 9), (50, 100), (900, 1000)])
def test_frames_have_one_size_and_are_deterministic(shortest: int, longest: int) -> None:
    batch = draw(0, "test", 0, 3, shortest, longest)
    answers = torch.randn(longest, 3, generator=torch.Generator().manual_seed(0))
    trace = trace_of(batch, answers)
    for example in range(3):
        for t in (0, longest // 2, longest - 1):
            frame = picture(trace, t, example)
            assert frame.dtype == np.uint8
            assert frame.shape == (HEIGHT, WIDTH, 3) == (540, 960, 3)
            assert (frame == picture(trace, t, example)).all()


def test_a_bar_is_as_high_as_its_number_and_orange_if_marked() -> None:
    trace = trace_of(four())
    bars = part(picture(trace, 3, 0), NUMBERS)
    quarter = NUMBERS.width // 4
    for i, (number, colour) in enumerate([(0.5, OTHER_BELIEF), (1.0, GAZE), (0.25, OTHER_BELIEF), (0.75, GAZE)]):
        column = bars[:, i * quarter + quarter // 2]
        coloured = (column == np.array(colour, np.uint8)).all(axis=1)
        assert coloured.sum() == round(number * NUMBERS.height)
        assert coloured[NUMBERS.height - int(coloured.sum()) :].all()  # it stands on the ground


def test_numbers_still_to_come_are_faint() -> None:
    trace = trace_of(four())
    for t in range(4):
        bars = part(picture(trace, t, 0), NUMBERS)
        quarter = NUMBERS.width // 4
        faint = [has(bars[:, i * quarter : (i + 1) * quarter - 1], FAINT).any() for i in range(4)]
        assert faint == [i > t for i in range(4)]
        assert has(bars, GAZE).any() == (t >= 1)


def test_the_level_is_the_sum_and_the_line_goes_through_the_answers() -> None:
    answers = torch.tensor([0.25, 0.75, 1.0, 1.25, 9.0, 9.0])[:, None]
    trace = trace_of(four(), answers)
    last = part(picture(trace, 3, 0), ANSWERS)
    level = round(ANSWERS.height * (1 - 1.75 / MOST))
    assert has(last[level - 2 : level + 2], GAZE).any(axis=0).mean() > 0.95
    quarter = ANSWERS.width // 4
    for t in range(4):
        chart = has(part(picture(trace, t, 0), ANSWERS), BELIEF)
        y, x = np.nonzero(chart)
        assert x.max() == pytest.approx(t * quarter + quarter / 2 + 6, abs=2)  # the dot of the newest answer
        rows = np.nonzero(chart[:, t * quarter + quarter // 2])[0]
        assert rows.mean() == pytest.approx(ANSWERS.height * (1 - float(answers[t, 0]) / MOST), abs=2)
        assert y.min() >= 0


def test_answers_off_the_chart_stay_at_its_border() -> None:
    trace = trace_of(four(), torch.tensor([-50.0, 50.0, -1e30, 1e30, 0.0, 0.0])[:, None])
    blue = has(picture(trace, 3, 0), BELIEF)
    rows = np.nonzero(blue[:, ANSWERS.left : ANSWERS.left + ANSWERS.width])[0]
    below = rows[rows > NUMBERS.top + NUMBERS.height]
    assert below.min() >= ANSWERS.top - 7
    assert below.max() <= ANSWERS.top + ANSWERS.height + 7


def test_the_last_frame_of_a_shorter_sequence_stays() -> None:
    trace = trace_of(four())
    assert not (picture(trace, 2, 0) == picture(trace, 3, 0)).all()
    for t in (4, 5):
        assert (picture(trace, t, 0) == picture(trace, 3, 0)).all()


def test_a_frame_depends_on_its_own_example_and_its_past_alone() -> None:
    batch = draw(0, "test", 0, 3, 5, 8)
    answers = torch.rand(8, 3, generator=torch.Generator().manual_seed(0))
    later, other = answers.clone(), answers.clone()
    later[3:] += 0.5
    other[:, 0] += 0.5
    frame = picture(trace_of(batch, answers), 2, 1)
    assert (picture(trace_of(batch, later), 2, 1) == frame).all()
    assert (picture(trace_of(batch, other), 2, 1) == frame).all()
    later[2] += 0.5
    assert not (picture(trace_of(batch, later), 2, 1) == frame).all()


def test_films_and_strips(tmp_path: Path) -> None:
    batch = draw(0, "test", 0, 1, 20, 20)
    answers = torch.linspace(0, 1, 20)[:, None]
    with Image.open(write_film(trace_of(batch, answers), tmp_path / "adding.gif")) as film:
        assert film.size == (WIDTH, HEIGHT)
        assert getattr(film, "n_frames", 1) == 20
    frames, columns = strip_frames(trace_of(batch, answers))
    assert (len(frames), columns) == (9, 3)
