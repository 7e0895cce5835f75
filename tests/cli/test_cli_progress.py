"""Progress of long work: a line with the time left where there is no terminal, a bar on one, nothing for short work."""

import io
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from saccade.pipeline.progress import shown_by, track, work
from saccade.terminal import progress_bar, screen
from saccade.terminal.progress_bar import Bar, duration


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show work from the first hundredth of a second on, and a line every few."""
    monkeypatch.setattr(progress_bar, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(progress_bar, "PLAIN_EVERY_SECONDS", 0.05)


def said(seconds: float, parts: int, *, terminal: bool = False) -> str:
    """Return what is shown of work of some parts of equal length."""
    stream = io.StringIO()
    with shown_by(Bar(Console(file=stream, force_terminal=terminal, width=100, highlight=False))):
        for _ in track(range(parts), "sawing", parts):
            time.sleep(seconds)
    return stream.getvalue()


def test_short_work_is_silent() -> None:
    assert said(0.0, 5) == ""


def test_a_line_now_and_then_with_the_time_left(hasty: None) -> None:
    lines = said(0.04, 6).splitlines()
    assert len(lines) >= 2
    assert all(re.fullmatch(r"sawing: \d/6, (about \d+ s left|\d+ s so far)", line) for line in lines), lines
    assert "left" in lines[-1]


def test_one_long_part_is_no_silence(hasty: None) -> None:
    assert re.match(r"sawing: 0/1, \d+ s so far\n", said(0.3, 1))


def test_a_bar_on_a_terminal(hasty: None) -> None:
    shown = said(0.1, 4, terminal=True)
    assert "sawing" in shown and "/4" in shown


def test_work_of_more_than_ten_minutes_is_announced_after_its_first_part(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    with shown_by(Bar(Console(file=stream, width=100, highlight=False))), work("sawing", 100_000) as advance:
        time.sleep(0.02)
        advance(1)
        advance(1)
    assert re.fullmatch(r"sawing: this will take about (\d+ min|[\d.]+ h)\n", stream.getvalue())


def test_work_inside_work_is_a_part_of_it(hasty: None) -> None:
    stream = io.StringIO()
    with shown_by(Bar(Console(file=stream, width=100))), work("outer", 1):
        for _ in track(range(3), "inner", 3):
            time.sleep(0.05)
    assert "inner" not in stream.getvalue() and "outer" in stream.getvalue()


def test_without_a_display_nothing_is_shown(capsys: pytest.CaptureFixture[str], hasty: None) -> None:
    assert list(track(range(3), "sawing", 3)) == [0, 1, 2]
    time.sleep(0.1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("verb", "shows"),
    [
        ("glimpse eval READER", "evaluating"),
        ("draw eval PAINTER --samples 30", "evaluating"),
        ("glimpse gif READER --count 9 --out a.gif", "drawing the film"),
        ("draw generate PAINTER --count 9 --out a.png --gif b.gif", "drawing the film"),
        ("glimpse read PICTURES --run READER --gif a.gif", "drawing the film"),
        ("draw complete PAINTER PICTURE --keep left --count 2 --out a.gif", "finishing the picture"),
        ("gradients --steps 5 --updates 5 --out a.png", "training"),
    ],
)
def test_every_long_verb_shows_progress(
    saccade: Any,
    trained: Path,
    drawn: Path,
    place: Path,
    hasty: None,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    shows: str,
) -> None:
    from PIL import Image, ImageDraw

    picture = Image.new("L", (56, 56), 255)
    ImageDraw.Draw(picture).line((20, 10, 20, 46), fill=0, width=6)
    picture.save(place / "one.png")
    monkeypatch.setattr(progress_bar, "PLAIN_EVERY_SECONDS", 0.011)
    reader, painter = (shutil.copytree(run, place / "runs" / run.name) for run in (trained, drawn))  # eval writes there
    names = {"READER": [reader], "PAINTER": [painter], "PICTURE": ["one.png"], "PICTURES": ["one.png"] * 5}
    words = [part for word in verb.split() for part in names.get(word, [word])]
    answer = saccade(*words)
    assert answer.code == 0, answer
    assert f"{shows}: " in answer.err


def test_a_trainings_lines_have_the_time_left(saccade: Any, small: list[str], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(screen, "PLAIN_EVERY_SECONDS", 0.0)
    monkeypatch.setattr("saccade.pipeline.train.loop.LOG_EVERY_SECONDS", 0.0)
    answer = saccade("glimpse", "train", *small, "--epochs", "2", "--out", tmp_path / "run")
    lines = [line for line in answer.err.splitlines() if line.startswith("epoch")]
    assert len(lines) > 3
    assert all(re.search(r", about \d+ s left$", line) for line in lines[1:-1]), lines
    monkeypatch.setattr(screen, "LONG_SECONDS", 0.0)
    answer = saccade("glimpse", "train", *small, "--epochs", "2", "--out", tmp_path / "other")
    assert "training: this will take about " in answer.err


def test_times_are_said_for_people() -> None:
    assert [duration(seconds) for seconds in (4, 99, 600, 7200)] == ["4 s", "99 s", "10 min", "2.0 h"]
