"""Strokes and moves, collections, batches: shapes, splits, bucketing, augmentation, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from saccade.errors import InputError
from saccade.sketch.collection import load_collection
from saccade.sketch.config import SketchData
from saccade.sketch.source import SketchSource, augmented
from saccade.sketch.strokes import FRAME, check_moves, extent, framed, to_moves, to_strokes
from tests.sketch.drawings import write_npz, zigzag

UNIPEN = """.HIERARCHY DIGIT
.SEGMENT DIGIT 0 ? "8"
.PEN_DOWN
 0 0
 10 100
 20 0
.PEN_UP
.DT 100
.PEN_DOWN
 0 50
 20 50
.PEN_UP
.SEGMENT DIGIT 1 ? "1"
.PEN_DOWN
 5 0
 5 80
.PEN_UP
"""


def two_strokes() -> list[np.ndarray]:
    return [np.array([[3.0, 4], [13, 4], [13, 24]]), np.array([[0.0, 0], [5, 5]])]


def test_moves_and_strokes_are_the_same_drawing() -> None:
    strokes = two_strokes()
    moves = to_moves(strokes)
    assert moves.tolist() == [[10, 0, 0], [0, 20, 1], [-13, -24, 0], [5, 5, 1]]
    back = to_strokes(moves)
    assert [len(stroke) for stroke in back] == [3, 2]
    for ours, theirs in zip(back, strokes, strict=True):
        np.testing.assert_allclose(ours, theirs - strokes[0][0])
    dot = to_moves([np.array([[1.0, 1]]), np.array([[2.0, 2], [4, 4]])])
    assert dot.tolist() == [[0, 0, 1], [1, 1, 0], [2, 2, 1]]


def test_a_framed_drawing_has_a_longer_side_of_255_and_few_points() -> None:
    t = np.linspace(0, 1, 400)[:, None]
    line = np.hstack([t * 900, t * 300])
    found = framed([line], 2.0)
    assert len(found[0]) == 2 and extent(found) == pytest.approx(FRAME)
    assert len(framed([line], 0.0)[0]) == 400


@pytest.mark.parametrize(
    ("moves", "says"),
    [
        (np.zeros((0, 3)), "an empty one"),
        (np.zeros((4, 2)), r"\(4, 2\)"),
        (np.array([[1, 2, 0], [np.nan, 1, 0]]), "NaN or an offset"),
        (np.array([[1, 2, 0], [1e9, 1, 0]]), "an offset beyond"),
        (np.array([[1, 2, 0.5]]), "a pen state of 0.5"),
        (np.array([["a", "b", "c"]]), "of dx, dy"),
        (np.ones((6000, 3)), "found 6,000"),
    ],
)
def test_moves_that_are_none_are_refused(moves: np.ndarray, says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_moves(moves, "drawing 3")


@pytest.mark.parametrize("points", [[], [[1, 1]], [[1, 1], [1, 1]], [[0, 0], [np.inf, 1]], [[0, 0], [1e7, 1]]])
def test_strokes_that_are_no_drawing_are_refused(points: list[list[float]]) -> None:
    with pytest.raises(InputError):
        framed([np.array(points, float).reshape(-1, 2)], 2.0)


def test_unipen_text_becomes_drawings_with_y_downwards(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / name).write_text(UNIPEN)
    found = load_collection(SketchData(dataset="unipen:train,test", data_dir=str(tmp_path)), 0)
    assert found.classes == ("1", "8") and found.train.labels == [1, 0]
    eight = found.train.moves[0]
    assert eight[0, 1] < 0, "the pen moves up: y falls"
    assert eight[:, 2].tolist() == [0, 1, 0, 1]
    (tmp_path / "train").write_text('.SEGMENT DIGIT 0 ? "8"\n.PEN_DOWN\n 1 x\n')
    with pytest.raises(InputError, match="line 3"):
        load_collection(SketchData(dataset="unipen:train,test", data_dir=str(tmp_path)), 0)


def test_quickdraw_files_raw_and_simplified(tmp_path: Path) -> None:
    raw = {"word": "cat", "drawing": [[[0.5, 10.5, 20.5], [0, 5, 0], [0, 16, 30]], [[0, 20], [9, 9], [0, 1]]]}
    simple = {"word": "dog", "drawing": [[[0, 255], [0, 100]]]}
    path = tmp_path / "a.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in [raw, simple] * 10))
    found = load_collection(SketchData(dataset=f"ndjson:{path}"), 0)
    assert found.classes == ("cat", "dog") and (len(found.train.moves), len(found.test.moves)) == (18, 2)
    bad = {
        '{"word": 1}': "list of strokes",
        "[]": "list of strokes",
        "{": "JSON",
        '{"drawing": [[[1], [1, 2]]]}': "1 x and 2 y",
        '{"drawing": [[[1, 2], ["a", 3]]]}': "no numbers",
        '{"drawing": [[[1, NaN], [1, 2]]]}': "not finite",
    }
    for text, says in bad.items():
        path.write_text(text)
        with pytest.raises(InputError, match=says):
            load_collection(SketchData(dataset=f"ndjson:{path}"), 0)


def sheep(tmp_path: Path, **settings: object) -> SketchSource:
    drawings = [zigzag(3 + i % 20, seed=i) for i in range(60)]
    path = write_npz(tmp_path / "sheep.npz", train=drawings, valid=drawings[:4], test=drawings[4:9])
    return SketchSource(SketchData(dataset=f"npz:{path}", **settings), seed=1)  # type: ignore[arg-type]


def test_an_epoch_has_every_drawing_once_in_batches_of_like_lengths(tmp_path: Path) -> None:
    source = sheep(tmp_path, scale=0.0, drop=0.0)
    assert source.facts.longest == 22 and source.examples == 60
    lengths = [source.batch(step, 5).lengths for step in range(12)]
    assert sorted(torch.cat(lengths).tolist()) == sorted(3 + i % 20 for i in range(60))
    assert all(int(part.max() - part.min()) <= 6 for part in lengths)
    again = sheep(tmp_path, scale=0.0, drop=0.0)
    assert torch.equal(again.batch(7, 5).moves, source.batch(7, 5).moves), "a function of seed and step alone"
    assert not torch.equal(source.batch(0, 5).moves, source.batch(12, 5).moves)
    offsets = torch.cat(
        [source.held_out("test").moves[i, : int(n), :2] for i, n in enumerate(source.held_out("test").lengths)]
    )
    assert 0.5 < float(offsets.std()) < 2


def test_longer_drawings_are_left_out_and_counted(tmp_path: Path) -> None:
    source = sheep(tmp_path, longest=10)
    assert source.facts.longest == 10 and source.facts.left_out > 20
    assert source.examples + source.facts.left_out < 69
    with pytest.raises(InputError, match="raise --longest"):
        sheep(tmp_path, longest=1)


def test_augmentation_keeps_the_ends_of_strokes_and_the_place_of_the_pen() -> None:
    moves = [zigzag(30, seed=i).astype(np.float32) for i in range(20)]
    thin = augmented(moves, SketchData(scale=0.0, drop=0.5), 0, 0)
    for before, after in zip(moves, thin, strict=True):
        assert len(after) < len(before) and after[:, 2].sum() == before[:, 2].sum()
        np.testing.assert_allclose(after[:, :2].sum(0), before[:, :2].sum(0), atol=1e-3)
    stretched = augmented(moves, SketchData(scale=0.2, drop=0.0), 0, 0)
    factors = np.array([a[:, :2].std(0) / b[:, :2].std(0) for a, b in zip(stretched, moves, strict=True)])
    assert 0.8 <= factors.min() < 0.9 and 1.1 < factors.max() <= 1.2


def test_the_embedded_digits_become_strokes() -> None:
    found = load_collection(SketchData(), 0)
    assert (len(found.train.moves), len(found.test.moves)) == (1397, 400)
    assert found.classes == tuple("0123456789")
    counts = [len(moves) for moves in found.train.moves]
    assert 8 < np.mean(counts) < 25 and max(counts) < 60
    assert np.mean([moves[:, 2].sum() for moves in found.train.moves]) < 2.5, "few strokes a digit"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"dataset": "npz:absent.npz"}, "No such file"),
        ({"dataset": "unipen:one"}, "two UNIPEN files"),
        ({"dataset": "pendigits", "data_dir": "/absent"}, "pendigits-orig.tra"),
        ({"validation": 5000}, "fewer than"),
    ],
)
def test_missing_data_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        load_collection(SketchData(**settings), 0)  # type: ignore[arg-type]
