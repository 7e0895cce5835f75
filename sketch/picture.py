"""Frames of a drawing: the strokes so far, the one at work in orange, the pen; and an original, if there is one.

A person's part of a finished drawing is blue. On request the density of the next point is shown as a heat map.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from saccade.pipeline.animate.belief_chart import (
    VERDICT_WIDTH,
    Belief,
    bars,
    headline,
    most_probable,
    softmax,
    verdict,
)
from saccade.pipeline.animate.page import Box, Page, Pixels, resize
from saccade.pipeline.animate.palette import BELIEF, FAINT, GAZE, GROUND, INK, QUIET, WHITE, Colour
from saccade.pipeline.contract import Trace
from saccade.sketch.mixture import Mixture, density_on, mixture
from saccade.sketch.strokes import Moves, Points, to_strokes

WIDTH, HEIGHT, MARGIN = 960, 540, 32
TITLE_BASELINE, CAPTION_BASELINE, PROGRESS_TOP = 46, 84, 514
PANEL = 408
TILE, TILE_PROGRESS = 160, 5
BORDER = 0.08
"""Part of a panel's side that is kept free around a drawing."""

CELLS = 102
"""Cells along each side of a heat map."""

CHART = Box(2 * MARGIN + PANEL, CAPTION_BASELINE + 12, WIDTH - 3 * MARGIN - PANEL, PANEL)
"""The place of a reader's belief."""

HOTTEST = (255, 196, 120)
PEN_WIDTH, TILE_PEN_WIDTH = 4.0, 2.2


class Frame(NamedTuple):
    """The contents of a frame."""

    moves: Moves
    """All moves of the drawing."""
    shown: int
    """Number of them that were made."""
    given: int
    """Number of them that a person made."""
    original: Moves | None
    next_move: Mixture | None
    """The distribution of the next move, where it is to be shown."""
    finished: bool


class View(NamedTuple):
    """The way from a drawing's coordinates to pixels."""

    corner: Float[np.ndarray, "2"]
    scale: float
    origin: tuple[float, float]

    def place(self, point: Float[np.ndarray, "2"]) -> tuple[float, float]:
        """Return a point's pixel."""
        x, y = (point - self.corner) * self.scale
        return self.origin[0] + float(x), self.origin[1] + float(y)


def read_frame(trace: Trace, t: float, example: int) -> Frame:
    """Read one example from a trace at step t: of drawings made (`Gallery`), or of teacher forcing (`Strokes`)."""
    batch, outputs = trace.batch, trace.outputs
    length, given = int(batch.lengths[example]), int(batch.given[example]) if hasattr(batch, "given") else 0
    moves = batch.moves[example, :length].detach().float().cpu().numpy()
    shown = min(given + math.floor(t) + 1, length)
    original = None
    if getattr(batch, "original", None) is not None:
        original = batch.original[example, : int(batch.original_lengths[example])].cpu().numpy()
    made = shown - given  # moves after the given ones
    heat, next_move = getattr(batch, "heat", None), None
    if heat is not None and bool(heat[example]) and made < length - given:
        step = getattr(outputs, "output", outputs)
        next_move = mixture(step.y[made, example].detach().float().cpu())
    return Frame(moves, shown, given, original, next_move, shown == length)


def picture(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the large frame: uint8 [540, 960, 3]."""
    now = read_frame(trace, t, example)
    page = Page(WIDTH, HEIGHT)
    x = page.text(f"Move {now.shown} ", MARGIN, TITLE_BASELINE, 26, bold=True)
    page.text(f"of {len(now.moves)}", x, TITLE_BASELINE, 26, QUIET)
    name = _name(trace, example)
    if name and not isinstance(trace.outputs, torch.Tensor):
        page.text(name, WIDTH - MARGIN, TITLE_BASELINE, 22, BELIEF, bold=True, align="right")
    top = CAPTION_BASELINE + 12
    drawings = [now.moves] if now.original is None else [now.moves, now.original]
    reads = isinstance(trace.outputs, torch.Tensor)
    left = MARGIN if reads else (WIDTH - PANEL) // 2 if now.original is None else WIDTH - MARGIN - PANEL
    panel = Box(left, top, PANEL, PANEL)
    caption = "the pen at work" if now.given == 0 else "what was given, in blue, and the network's pen"
    caption += "; shaded: where the next point may be" if now.next_move is not None else ""
    page.text(caption, panel.left, CAPTION_BASELINE, 15, QUIET)
    _draw(page, panel, now, view(drawings, panel), PEN_WIDTH)
    if isinstance(trace.outputs, torch.Tensor):
        _belief(page, trace, now, example)
    if now.original is not None:
        other = Box(MARGIN, top, PANEL, PANEL)
        page.text("the original", other.left, CAPTION_BASELINE, 15, QUIET)
        page.fill(other, WHITE)
        _strokes(page, to_strokes(now.original), view(drawings[::-1], other), PEN_WIDTH, INK)
    _progress(page, Box(MARGIN, PROGRESS_TOP, WIDTH - 2 * MARGIN, 6), now)
    return page.pixels()


def tile(trace: Trace, t: float, example: int) -> Pixels:
    """Draw the small frame for a wall of many drawings: uint8 [165, 160, 3]."""
    now = read_frame(trace, t, example)
    page = Page(TILE, TILE + TILE_PROGRESS)
    panel = Box(0, 0, TILE, TILE)
    _draw(page, panel, now, view([now.moves], panel), TILE_PEN_WIDTH)
    _progress(page, Box(0, TILE, TILE, TILE_PROGRESS), now)
    return page.pixels()


def finished_tile(trace: Trace, example: int) -> Pixels:
    """Draw a finished drawing for a sheet: uint8 [160, 160, 3]."""
    now = read_frame(trace, float(trace.batch.moves.shape[1]), example)
    page = Page(TILE, TILE)
    _draw(page, Box(0, 0, TILE, TILE), now, view([now.moves], Box(0, 0, TILE, TILE)), TILE_PEN_WIDTH)
    return page.pixels()


def view(drawings: list[Moves], panel: Box) -> View:
    """Return the view at which every one of some drawings fits into the panel, the first in its middle."""
    boxes = [np.concatenate(to_strokes(moves)) for moves in drawings]
    size = max(max(float(np.ptp(points, axis=0).max()) for points in boxes), 1e-6)
    room = panel.width * (1 - 2 * BORDER)
    middle = (boxes[0].min(axis=0) + boxes[0].max(axis=0)) / 2
    return View(middle, room / size, (panel.left + panel.width / 2, panel.top + panel.height / 2))


def _draw(page: Page, panel: Box, now: Frame, at: View, thickness: float) -> None:
    """Draw the strokes so far: a person's in blue, the one at work in orange, the pen as a dot."""
    page.fill(panel, WHITE)
    made = now.moves[: now.shown]
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(made[:, :2], axis=0, dtype=np.float64)])
    if now.next_move is not None:
        _heat(page, panel, now.next_move, points[-1], at)
    lifted = np.flatnonzero(made[:, 2] > 0.5)
    ends = lifted + 1  # indices of points after which the pen is up
    working = 0 if not len(ends) else int(ends[-1]) + 1
    if working >= len(points):  # the pen was just lifted: the stroke before is the one at work
        working = int(ends[-2]) + 1 if len(ends) > 1 else 0
    up = set(ends.tolist())
    for i in range(len(points)):
        single = (i == 0 or i - 1 in up) and i in up
        if i == 0 or (i - 1 in up and not single):
            continue
        colour = BELIEF if i <= now.given else GAZE if i >= working and not now.finished else INK
        before = i if single else i - 1
        page.line(at.place(points[before]), at.place(points[i]), thickness, colour)
    if not now.finished:
        page.dot(at.place(points[-1]), thickness * 1.3, GAZE if len(points) - 1 not in up else QUIET)


def _belief(page: Page, trace: Trace, now: Frame, example: int) -> None:
    """Draw a reader's belief after each move: a bar for each class."""
    logits = trace.outputs[: len(now.moves), example].detach().float().cpu().numpy()
    beliefs, label, step = softmax(logits), int(trace.batch.labels[example]), now.shown - 1
    before, truth = beliefs[step - 1] if step else None, label if label >= 0 else None
    shown = most_probable(beliefs, truth)
    belief = Belief(beliefs[step], before, trace.facts.classes, truth, shown, now.finished)
    headline(page, CHART.left, TITLE_BASELINE, CHART.width - VERDICT_WIDTH, belief)
    verdict(page, CHART.left + CHART.width, TITLE_BASELINE - 8, belief)
    bars(page, CHART, belief)


def _strokes(page: Page, strokes: list[Points], at: View, thickness: float, colour: Colour) -> None:
    for stroke in strokes:
        places = [at.place(point) for point in stroke]
        for start, end in zip(places, places[1:] or places, strict=False):
            page.line(start, end, thickness, colour)


def _heat(page: Page, panel: Box, next_move: Mixture, pen: Float[np.ndarray, "2"], at: View) -> None:
    """Shade the panel by the density of the next point; the square root, so that unlikely places can be seen."""
    half = panel.width / 2 / at.scale
    low = torch.from_numpy(at.corner - pen - half).float()
    along = (torch.arange(CELLS) + 0.5) / CELLS * 2 * half
    density = density_on(next_move, low[0] + along, low[1] + along).sqrt().numpy()
    share = (density / max(float(density.max()), 1e-9))[:, :, None]
    shaded = np.array(WHITE) * (1 - share) + np.array(HOTTEST) * share
    page.paste(resize(np.rint(shaded).astype(np.uint8), panel.width, panel.height), panel.left, panel.top)


def _progress(page: Page, box: Box, now: Frame) -> None:
    page.fill(box, FAINT if now.shown < len(now.moves) else GROUND)
    if now.shown < len(now.moves):
        page.fill(box._replace(width=round(box.width * now.shown / len(now.moves))), GAZE)


def _name(trace: Trace, example: int) -> str | None:
    """Return the class of a drawing, if there are several and it is known."""
    label = int(trace.batch.labels[example])
    return trace.facts.classes[label] if len(trace.facts.classes) > 1 and label >= 0 else None
