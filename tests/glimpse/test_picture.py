"""Frames of a gaze: that what they show stands where, and is as large as, the trace says."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.glimpse.frame import read_frame
from saccade.glimpse.picture import CHART, HEIGHT, PANEL, PROGRESS_TOP, RETINA, TILE, WIDTH, image_box, picture, tile
from saccade.glimpse.trace import Glimpse
from saccade.images.config import Shape
from saccade.images.source import ImageBatch
from saccade.pipeline.animate.belief_chart import MOST_ROWS, lanes, percent
from saccade.pipeline.animate.palette import (
    BELIEF,
    DISTANT_GAZE,
    FAINT,
    GAZE,
    INK,
    OTHER_BELIEF,
    RIGHT,
    WRONG,
    gaze_shade,
)
from saccade.pipeline.contract import Episode, Trace
from tests.images.cases import facts_of

MAGENTA = (255, 0, 255)


def make_trace(locations, half=0.25, *, images=None, scales=1, patch=4, probabilities=None, classes=10, target=0):
    """A trace of one example (or of each image) that looks at the same locations [T, 2]."""
    images = torch.zeros(1, 1, 28, 28) if images is None else images
    steps, batch, channels = len(locations), len(images), images.shape[1]
    location = torch.tensor(locations, dtype=torch.float32)[:, None].expand(steps, batch, 2)
    halves = torch.tensor([[half * 2**s] * 2 for s in range(scales)]).expand(steps, batch, scales, 2)
    windows = torch.cat([location[:, :, None].expand(-1, -1, scales, -1), halves], dim=3)
    patches = torch.rand(steps, batch, scales, channels, patch, patch, generator=torch.Generator().manual_seed(0))
    if probabilities is None:
        probabilities = torch.full((steps, classes), 1 / classes)
    logits = torch.as_tensor(probabilities, dtype=torch.float64).log()[:, None].expand(-1, batch, -1).float()
    nothing = torch.zeros(steps, batch)
    outputs = Glimpse(location, windows, patches, logits, location, location, nothing.bool(), nothing)
    facts = facts_of(Shape(*images.shape[1:], classes=logits.shape[2]))
    return Trace("glimpse", outputs, Episode(None), ImageBatch(images, torch.full((batch,), target)), facts)


def has(pixels, colour, box=None):
    """Which pixels [H, W] have exactly that colour (and lie in a box)."""
    found = (pixels == np.array(colour, np.uint8)).all(axis=2)
    if box is not None:
        inside = np.zeros_like(found)
        inside[box.top : box.top + box.height, box.left : box.left + box.width] = True
        found &= inside
    return found


def places(pixels, colour, box=None):
    """Bounding box (left, top, right, bottom) of the pixels of a colour; right and bottom lie beyond the last one."""
    y, x = np.nonzero(has(pixels, colour, box))
    return x.min(), y.min(), x.max() + 1, y.max() + 1


SHAPES = [
    ((1, 28, 28), 1, 8, 10, 7),
    ((1, 60, 60), 3, 12, 10, 8),
    ((3, 96, 128), 4, 16, 20, 3),
    ((3, 800, 800), 4, 100, 40, 2),
    ((1, 8, 8), 2, 3, 2, 30),
    ((3, 300, 9), 1, 1, 3, 1),
]


@pytest.mark.parametrize(("shape", "scales", "patch", "classes", "steps"), SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_frames_have_one_even_size_for_any_trace_and_are_deterministic(shape, scales, patch, classes, steps, dtype):
    generator = torch.Generator().manual_seed(1)
    locations = (torch.rand(steps, 2, generator=generator) * 2 - 1).tolist()
    images = torch.rand(2, *shape, generator=generator)
    trace = make_trace(locations, 0.2, images=images, scales=scales, patch=patch, classes=classes)
    batch = trace.batch._replace(images=images.to(dtype))
    trace = trace._replace(outputs=Glimpse(*(field.to(dtype) for field in trace.outputs)), batch=batch)
    for t in (0, steps // 2, steps - 1):
        frame, small = picture(trace, t, 1), tile(trace, t, 1)
        assert frame.dtype == small.dtype == np.uint8
        assert frame.shape == (HEIGHT, WIDTH, 3) == (540, 960, 3)
        assert small.shape == (280, 240, 3)
        assert (frame == picture(trace, t, 1)).all()
        assert (small == tile(trace, t, 1)).all()


@pytest.mark.parametrize("shape", [(28, 28), (60, 60), (96, 128), (300, 100), (8, 8), (800, 800)])
def test_the_image_fills_its_box_and_leaves_a_border_around_it(shape):
    image = torch.tensor([1.0, 0.0, 1.0])[:, None, None].expand(3, *shape)[None]
    trace = make_trace([(0.0, 0.0)], images=image)
    box = image_box(PANEL, shape[1], shape[0])
    assert places(picture(trace, 0, 0), MAGENTA, PANEL) == (
        box.left,
        box.top,
        box.left + box.width,
        box.top + box.height,
    )
    assert box.width / box.height == pytest.approx(shape[1] / shape[0], abs=0.01)
    assert box.left - PANEL.left >= 32 or box.top - PANEL.top >= 32


@given(x=st.floats(-1, 1), y=st.floats(-1, 1), half=st.floats(0.06, 0.2))
@settings(max_examples=30, deadline=None)
def test_every_square_stands_where_the_trace_says(x, y, half):
    trace = make_trace([(x, y)], half, scales=3)
    frame = picture(trace, 0, 0)
    box = image_box(PANEL, 28, 28)
    for scale in range(3):
        reach = half * 2**scale
        left, right = (box.left + (x + side * reach + 1) / 2 * box.width for side in (-1, 1))
        top, bottom = (box.top + (y + side * reach + 1) / 2 * box.height for side in (-1, 1))
        wanted = (left - 3, top - 3, right + 3, bottom + 3)  # the outline is 3 pixels, around the window
        low, high = (PANEL.left, PANEL.top), (PANEL.left + PANEL.width, PANEL.top + PANEL.height)
        found = places(frame, gaze_shade(scale, 3), PANEL)
        for axis in (0, 1):  # beyond the panel the outline is cut off
            assert found[axis] == pytest.approx(max(wanted[axis], low[axis]), abs=0.75)
            assert found[axis + 2] == pytest.approx(min(wanted[axis + 2], high[axis]), abs=0.75)


@pytest.mark.parametrize(("column", "row"), [(0, 0), (13, 5), (19, 9), (19, 0)])
def test_a_window_of_one_pixel_frames_that_pixel(column, row):
    image = torch.zeros(1, 3, 10, 20)
    image[0, :, row, column] = torch.tensor([1.0, 0.0, 1.0])
    trace = make_trace([((2 * column + 1) / 20 - 1, (2 * row + 1) / 10 - 1)], images=image)
    trace.outputs.windows[..., 2:] = torch.tensor([1 / 20, 1 / 10])
    frame = picture(trace, 0, 0)
    left, top, right, bottom = places(frame, MAGENTA, PANEL)
    assert right - left == bottom - top == 16  # 336 pixels for 20
    assert places(frame, gaze_shade(0, 1), PANEL) == (left - 3, top - 3, right + 3, bottom + 3)


def test_the_path_joins_the_locations_so_far_the_earlier_the_fainter():
    locations = [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)]
    trace = make_trace(locations, 0.1)
    box = image_box(PANEL, 28, 28)

    def colour(frame, location):
        x, y = box.locate(*location)
        return tuple(int(v) for v in frame[int(y), int(x)])

    black = (0, 0, 0)
    for t in range(4):
        frame = picture(trace, t, 0)
        assert colour(frame, locations[t]) == GAZE
        reds = [colour(frame, location)[0] for location in locations[:t]]
        assert reds == sorted(reds)
        assert len(set(reds)) == t
        for i in range(t):
            middle = tuple(np.mean(locations[i : i + 2], axis=0))
            assert colour(frame, middle) != black
            assert colour(frame, locations[i])[0] > 0.3 * DISTANT_GAZE[0]
        assert all(colour(frame, location) == black for location in locations[t + 1 :])


def bar_length(frame, lane):
    """Pixels of a bar, read on its middle line."""
    line = frame[lane.top + lane.height // 2, lane.left : lane.left + lane.width]
    return int(np.argmax(np.append((line == FAINT).all(axis=1), True)))


@pytest.mark.parametrize("classes", [2, 10, 20])
def test_bars_are_as_long_as_classes_are_probable(classes):
    probabilities = np.random.default_rng(classes).dirichlet(np.ones(classes))
    trace = make_trace([(0.0, 0.0)], probabilities=probabilities[None])
    frame = picture(trace, 0, 0)
    tracks = lanes(CHART, read_frame(trace, 0, 0).belief)
    assert len(tracks) == classes
    for k, lane in enumerate(tracks):
        assert bar_length(frame, lane) == pytest.approx(probabilities[k] * lane.width, abs=0.51)
        colour = BELIEF if k == probabilities.argmax() else OTHER_BELIEF
        assert round(probabilities[k] * lane.width) == 0 or (frame[lane.top + 1, lane.left] == colour).all()
    assert tracks[0].top == CHART.top
    assert tracks[-1].top + tracks[-1].height <= CHART.top + CHART.height + 1


def test_a_tick_shows_the_belief_before():
    trace = make_trace([(0.0, 0.0)] * 2, probabilities=[[0.7, 0.3], [0.2, 0.8]])
    first, second = picture(trace, 0, 0), picture(trace, 1, 0)
    for k, lane in enumerate(lanes(CHART, read_frame(trace, 1, 0).belief)):
        assert not has(first, INK, lane).any()
        left, _, right, _ = places(second, INK, lane)
        assert right - left == 2
        assert left + 1 == lane.left + round([0.7, 0.3][k] * lane.width)


def test_classes_beyond_the_chart_share_a_bar_and_the_true_one_has_its_own():
    probabilities = np.full((2, 50), 0.4 / 48)
    probabilities[:, 31], probabilities[:, 7] = 0.6, 0.0
    trace = make_trace([(0.0, 0.0)] * 2, probabilities=np.maximum(probabilities, 1e-9), target=7)
    belief = read_frame(trace, 1, 0).belief
    tracks = lanes(CHART, belief)
    assert len(tracks) == MOST_ROWS
    assert {7, 31} < set(belief.shown)
    others = 1 - belief.probabilities[list(belief.shown)].sum()
    assert others > 0.2
    frame = picture(trace, 0, 0)
    assert bar_length(frame, tracks[-1]) == pytest.approx(others * tracks[-1].width, abs=0.51)


@pytest.mark.parametrize("draw", [picture, tile])
@pytest.mark.parametrize(("target", "shown", "absent"), [(1, RIGHT, WRONG), (0, WRONG, RIGHT)])
def test_the_end_says_whether_it_was_right(draw, target, shown, absent):
    trace = make_trace([(0.0, 0.0)] * 3, probabilities=[[0.3, 0.7]] * 3, target=target)
    assert has(draw(trace, 2, 0), shown).any()
    assert not has(draw(trace, 2, 0), absent).any()
    for t in (0, 1, 1.9):
        assert not has(draw(trace, t, 0), shown).any()


@pytest.mark.parametrize("draw", [picture, tile])
def test_no_verdict_where_nobody_knows_the_truth(draw):
    unknown = make_trace([(0.0, 0.0)], probabilities=[[0.3, 0.7]], target=-1)
    known = unknown._replace(batch=unknown.batch._replace(labels=torch.tensor([1])))
    assert not has(draw(unknown, 0, 0), RIGHT).any()
    assert not has(draw(unknown, 0, 0), WRONG).any()
    assert (draw(unknown, 0, 0) != draw(known, 0, 0)).any()


def test_the_retina_shows_each_patch_with_crisp_pixels():
    trace = make_trace([(0.0, 0.0)] * 2, images=torch.zeros(1, 3, 28, 28), scales=2, patch=4)
    frame = picture(trace, 1, 0)
    for scale in range(2):
        left, top, right, _ = places(frame, gaze_shade(scale, 2), RETINA)
        side = right - left - 6  # inside a frame of 3 pixels
        centres = 3 + ((np.arange(4) + 0.5) * side / 4).astype(int)
        seen = frame[top + centres][:, left + centres]
        wanted = (trace.outputs.patches[1, 0, scale].permute(1, 2, 0).numpy() * 255).round()
        np.testing.assert_array_equal(seen, wanted)


def test_progress_fills_with_every_glimpse():
    trace = make_trace([(0.0, 0.0)] * 4)
    done = [(picture(trace, t, 0)[PROGRESS_TOP, 32:-32] < 150).all(axis=1).mean() for t in (0, 1, 2, 2.5, 3)]
    assert done == pytest.approx([0.25, 0.5, 0.75, 0.875, 1], abs=0.02)


def test_between_glimpses_the_gaze_moves_first_and_the_belief_follows():
    locations = [(-0.5, 0.0), (0.5, 0.0)]
    trace = make_trace(locations, probabilities=[[0.9, 0.1], [0.1, 0.9]])
    box = image_box(PANEL, 28, 28)
    lane = lanes(CHART, read_frame(trace, 0, 0).belief)[0]
    before = after = 0.0
    for t in np.linspace(0, 1, 11):
        frame = picture(trace, float(t), 0)
        left, _, right, _ = places(frame, gaze_shade(0, 1), PANEL)
        x = ((left + right) / 2 - box.left) / box.width * 2 - 1
        assert x == pytest.approx(read_frame(trace, float(t), 0).path[-1][0], abs=0.01)
        assert before == 0 or x >= before  # never back
        before = x
        if t < 0.2:  # where it goes is not to be seen yet
            ahead = box.locate(0.5, 0.0)
            assert (frame[int(ahead[1]), int(ahead[0])] == 0).all()
        length = bar_length(frame, lane)
        if 0 < t < 0.6:
            assert length == round(0.9 * lane.width)
        if t >= 0.6:
            assert x == pytest.approx(0.5, abs=0.01)
            now = frame[:, RETINA.left : RETINA.left + 168] == picture(trace, 1, 0)[:, RETINA.left : RETINA.left + 168]
            assert now[RETINA.top + 4 : RETINA.top + 160].all()  # sees the new patch
        after = length
    assert after == round(0.1 * lane.width)
    assert (picture(trace, 1.0, 0) == picture(trace, 1, 0)).all()


def test_a_frame_depends_on_its_own_example_alone():
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    trace = make_trace([(0.1, 0.2), (0.3, 0.1)], images=images)
    alone = trace._replace(
        outputs=Glimpse(*(field[:, 1:2] for field in trace.outputs)),
        batch=ImageBatch(images[1:2], trace.batch.labels[1:2]),
    )
    assert (picture(trace, 1, 1) == picture(alone, 1, 0)).all()
    assert (picture(trace, 1, 1) != picture(trace, 1, 2)).any()


def test_a_tile_is_the_panel_made_smaller():
    trace = make_trace([(0.4, -0.3)], 0.2)
    left, top, right, bottom = places(tile(trace, 0, 0), gaze_shade(0, 1))
    frame = image_box(PANEL._replace(left=0, top=0, width=TILE, height=TILE), 28, 28)
    x, y = frame.locate(0.4, -0.3)
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((x, y), abs=0.75)


def test_long_class_names_stay_within_the_frame():
    trace = make_trace([(0.0, 0.0)] * 2, probabilities=[[0.5, 0.5]] * 2)
    names = ("a very long name of a class of objects", "another quite long name of a class")
    long = trace._replace(facts=facts_of(trace.facts.shape, names))
    frame = picture(long, 0, 0)
    assert (frame[:, -30:] == frame[0, 0]).all()  # nothing in the right margin
    assert (frame[20:60, 812:] == frame[0, 0]).all()  # the headline leaves the verdict's place free


@pytest.mark.parametrize(
    ("probability", "text"), [(0.0, "0%"), (0.001, "<1%"), (0.93, "93%"), (0.998, ">99%"), (1.0, "100%")]
)
def test_percentages_never_round_doubt_away(probability, text):
    assert percent(probability) == text


def test_a_time_outside_the_trace_is_refused():
    trace = make_trace([(0.0, 0.0)] * 2)
    for t in (-0.1, 1.5, 2, math.nan):
        with pytest.raises(AssertionError):
            picture(trace, t, 0)


def test_the_digits_middle_is_marked_where_the_data_knows_it() -> None:
    unknown = make_trace([(-0.9, -0.9)])
    known = unknown._replace(batch=unknown.batch._replace(places=torch.tensor([[0.5, 0.25]])))
    plain, marked = picture(unknown, 0, 0), picture(known, 0, 0)
    box = image_box(PANEL, 28, 28)
    x, y = box.locate(0.5, 0.25)
    centre = marked[round(y), round(x)].astype(int)
    assert abs(centre - np.array(RIGHT)).max() < 40
    changed = (marked != plain).any(2)
    changed[: PANEL.top] = False  # the caption says what the cross is
    rows, columns = changed.nonzero()
    assert (abs(rows.mean() - y) < 1.5, abs(columns.mean() - x) < 1.5) == (True, True)
