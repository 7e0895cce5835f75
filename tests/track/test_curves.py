"""Success and precision against a case worked out by hand, and the reading of OTB's files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saccade.errors import InputError
from saccade.track import curves
from saccade.track.otb import open_sequence

TRUTH = np.array([[0, 0, 10, 10], [10, 10, 10, 10], [20, 20, 10, 10], [30, 30, 10, 10]], np.float64)
ANSWERS = np.array([[0, 0, 10, 10], [15, 10, 10, 10], [20, 20, 20, 10], [60, 70, 10, 10]], np.float64)
"""Overlaps 1, 1/3, 1/2 and 0; centres 0, 5, 5 and 50 pixels apart."""


def test_overlaps_and_distances_by_hand() -> None:
    assert curves.overlaps(ANSWERS, TRUTH).tolist() == pytest.approx([1, 1 / 3, 1 / 2, 0])
    assert curves.distances(ANSWERS, TRUTH).tolist() == pytest.approx([0, 5, 5, 50])


def test_success_counts_overlaps_greater_than_each_of_21_thresholds() -> None:
    found = curves.success(ANSWERS, TRUTH)
    assert len(found) == len(curves.THRESHOLDS) == 21
    expected = [0.75] * 7 + [0.5] * 3 + [0.25] * 10 + [0.0]  # 0 to 0.3; 0.35 to 0.45 (0.5 is not greater); to 0.95; 1
    assert found == expected
    assert curves.auc(found) == pytest.approx((0.75 * 7 + 0.5 * 3 + 0.25 * 10) / 21)


def test_precision_counts_centres_at_most_so_many_pixels_apart() -> None:
    found = curves.precision(ANSWERS, TRUTH)
    assert len(found) == 51
    assert found[:5] == [0.25] * 5 and found[5:50] == [0.75] * 45 and found[50] == 1
    assert found[curves.AT_PIXELS] == 0.75


def test_perfect_answers_miss_only_the_threshold_1() -> None:
    assert curves.auc(curves.success(TRUTH, TRUTH)) == pytest.approx(20 / 21)


def sequence(folder: Path, lines: str, pictures: int = 3, size: tuple[int, int] = (20, 16)) -> Path:
    (folder / "img").mkdir(parents=True)
    (folder / "groundtruth_rect.txt").write_text(lines)
    for number in range(pictures):
        Image.new("RGB", size, (number, 0, 0)).save(folder / "img" / f"{number + 1:04d}.jpg")
    return folder


@pytest.mark.parametrize("separator", [",", "\t", " ", ", "])
def test_boxes_are_read_as_the_benchmark_writes_them(tmp_path: Path, separator: str) -> None:
    lines = "\n".join(separator.join(map(str, box)) for box in ([1, 2, 3, 4], [2, 2, 3, 4], [3, 2.5, 3, 4])) + "\n"
    found = open_sequence(sequence(tmp_path / "one", lines))
    assert found.name == "one"
    assert found.truth.tolist() == [[0, 1, 3, 4], [1, 1, 3, 4], [2, 1.5, 3, 4]]
    assert [frame.shape for frame in found.frames()] == [(16, 20, 3)] * 3


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("", "two boxes or more"),
        ("1,2,3,4\n", "two boxes or more"),
        ("1,2,3,4\n1,2,3\n", "on line 2"),
        ("1,2,3,4\n1,2,x,4\n", "on line 2"),
        ("1,2,3,4\n1,2,nan,4\n", "on line 2"),
        ("1,2,3,4\n1,2,0,4\n", "above 0, on line 2"),
    ],
)
def test_damaged_boxes_are_refused(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        open_sequence(sequence(tmp_path / "one", lines))


@pytest.mark.parametrize(("pictures", "said"), [(2, "3 boxes and 2 frames"), (4, "3 boxes and more")])
def test_there_is_a_frame_for_every_box(tmp_path: Path, pictures: int, said: str) -> None:
    found = open_sequence(sequence(tmp_path / "one", "1,2,3,4\n" * 3, pictures))
    with pytest.raises(InputError, match=said):
        list(found.frames())


def test_a_folder_without_pictures_or_boxes_is_refused(tmp_path: Path) -> None:
    for folder, said in ((tmp_path / "none", "no folder"), (tmp_path, "no folder img in it")):
        with pytest.raises(InputError, match=said):
            open_sequence(folder)
    (tmp_path / "img").mkdir()
    with pytest.raises(InputError, match="no such file"):
        open_sequence(tmp_path)
