"""Following things in a user's videos, by the command line and from Python; comparisons; bad input."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import saccade as public
from saccade.errors import InputError
from saccade.track import rivals
from saccade.track.answers import summary
from saccade.track.follower import Answer, Follower, from_pixels, to_pixels
from tests.cli.conftest import refused, saccade
from tests.track.conftest import BOX, frames


def overlap(one: Any, other: Any) -> float:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(np.add(one[:2], one[2:]), np.add(other[:2], other[2:]))
    shared = np.prod(np.clip(high - low, 0, None))
    return float(shared / (np.prod(one[2:]) + np.prod(other[2:]) - shared))


def test_it_follows_a_thing_in_a_gif_and_writes_film_strip_and_table(trained: Path, gif: Path, tmp_path: Path) -> None:
    film, strip, boxes = tmp_path / "film.gif", tmp_path / "strip.png", tmp_path / "boxes.csv"
    wanted = ["--gif", film, "--strip", strip, "--boxes", boxes, "--json"]
    answer = saccade("track", "follow", gif, "--box", BOX, "--run", trained, *wanted)
    assert answer.code == 0, answer.err
    found = answer.json()
    assert found["frames"] == 6 and found["wrote"] == [str(boxes), str(film), str(strip)]
    assert overlap(found["last_box"], [30, 19, 12, 10]) > 0.4
    with Image.open(film) as image:
        assert image.n_frames == 5 and image.size == (960, 540)  # type: ignore[attr-defined]
    lines = [line for line in boxes.read_text().splitlines() if not line.startswith("#")]
    table = list(csv.DictReader(lines))
    assert len(table) == 6 and table[0] | {"confidence": ""} == {
        "frame": "1", "x": "20.00", "y": "14.00", "width": "12.00", "height": "10.00", "confidence": ""
    }  # fmt: skip
    again = saccade("track", "follow", gif, "--box", BOX, "--run", trained, *wanted)
    assert again.code == 0 and again.json() == found, "its own files are replaced"


def test_a_part_of_a_video_gives_what_a_video_of_that_part_gives(trained: Path, video: Path) -> None:
    network: Any = public.load(trained)
    assert isinstance(network, Follower)
    whole = network.follow(frames()[1:4], (22, 15, 12, 10))
    words = ["--box", "22,15,12,10", "--first", "2", "--last", "4", "--run", trained, "--json"]
    found = saccade("track", "follow", video / "img", *words).json()
    assert found["frames"] == 3 and found["last_box"] == pytest.approx([round(v, 1) for v in whole[-1].box])


def test_grey_frames_are_followed_as_colour_frames_of_the_same_grey(trained: Path) -> None:
    network: Any = public.load(trained)
    grey = [frame.mean(2).astype(np.uint8) for frame in frames()]
    found = network.follow(grey, (20, 14, 12, 10))
    colour = network.follow([np.repeat(frame[:, :, None], 3, 2) for frame in grey], (20, 14, 12, 10))
    for one, other in zip(found, colour, strict=True):
        assert one.box == pytest.approx(other.box, abs=1e-2)


def test_frames_one_by_one_give_what_they_give_at_once(trained: Path) -> None:
    network: Any = public.load(trained)
    box = (20.0, 14.0, 12.0, 10.0)
    at_once, _ = network.film(frames(), box)
    following = network.begin(frames()[0], box)
    assert [following.look(frame)[0] for frame in frames()[1:]] == at_once[1:]
    with pytest.raises(InputError, match="frames of 64 x 48 pixels"):
        following.look(frames(1, 32, 48)[0])


def test_boxes_convert_to_and_from_pixels() -> None:
    frame = np.zeros((30, 50, 3), np.uint8)
    assert from_pixels((0, 0, 50, 30), frame).tolist() == [0, 0, 1, 1]
    assert to_pixels(from_pixels((7, 3, 11, 20), frame), frame) == pytest.approx((7, 3, 11, 20))


def test_spans_of_lost_frames_are_told() -> None:
    sure = [0.9, 0.4, 0.3, 0.8, 0.1]
    found = summary([Answer((0, 0, 1, 1), value) for value in sure], 3)
    assert found["lost_in_frames"] == ["4 to 5", "7"]


def test_evaluation_on_a_sequence_compares_with_other_trackers(trained: Path, video: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    found = saccade("track", "eval", run, "--dataset", f"otb:{video}", "--json").json()
    assert found["dataset"] == "otb:Thing" and found["examples"] == 6
    assert found["success_auc_percent"] == found["trackers"]["Saccade"]["success_auc_percent"] > 40
    assert json.loads((run / "metrics-otb-Thing.json").read_text()) == found
    with Image.open(run / "otb-Thing.png") as chart:
        assert chart.size == (1200, 500)
    assert set(found["trackers"]) == {"Saccade", *rivals.available()}
    if "template matching" in found["trackers"]:
        assert found["trackers"]["template matching"]["success_auc_percent"] == pytest.approx(100 * 20 / 21)
    shown = saccade("track", "eval", run, "--dataset", f"otb:{video}")
    assert shown.code == 0 and "Saccade" in shown.out + shown.err


def test_template_matching_finds_the_template(video: Path) -> None:
    pytest.importorskip("cv2")
    for match in (rivals.match_everywhere, rivals.match_near):
        found = list(match(frames(), (20, 14, 12, 10)))
        assert found == [(20 + 2 * t, 14 + t, 12, 10) for t in range(6)]


def test_a_tracker_can_be_measured_on_other_videos(trained: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    found = saccade("track", "eval", run, "--dataset", "balls", "--json").json()
    assert found["dataset"] == "balls" and found["examples"] == 12 and found["iou_percent"] > 40
    assert json.loads((run / "metrics-balls.json").read_text()) == found
    assert "one of moving" in refused("track", "eval", run, "--dataset", "photos")
    assert "no folder" in refused("track", "eval", run, "--dataset", f"otb:{tmp_path / 'none'}")


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ("60,40,12,10", "inside the frame of 64 x 48"),
        ("0,0,65,10", "inside the frame"),
        ("1,1,2,2", "3 x 3 pixels or more"),
        ("1,1,0,2", "a box as x,y,width,height"),
        ("1,1,5", "a box as x,y,width,height"),
        ("a,b,c,d", "a box as x,y,width,height"),
        ("-1,1,5,5", "a box as x,y,width,height"),
    ],
)
def test_a_bad_box_is_refused_in_one_line(trained: Path, gif: Path, box: str, said: str) -> None:
    assert said in refused("track", "follow", gif, f"--box={box}", "--run", trained)


def test_a_bad_video_is_refused_in_one_line(trained: Path, gif: Path, tmp_path: Path) -> None:
    one, mixed, empty, text = tmp_path / "one.png", tmp_path / "mixed", tmp_path / "empty", tmp_path / "text.gif"
    Image.fromarray(frames(1)[0]).save(one)
    mixed.mkdir()
    empty.mkdir()
    Image.fromarray(frames(1)[0]).save(mixed / "1.png")
    Image.fromarray(frames(1, 32, 40)[0]).save(mixed / "2.png")
    text.write_text("no video")
    for path, said in (
        (one, "two frames or more"),
        (mixed, "in frame 2"),
        (empty, "frames in"),
        (text, "found"),
        (tmp_path / "none.mp4", "no such file"),
    ):
        assert said in refused("track", "follow", path, "--box", BOX, "--run", trained)
    for words, said in (
        (["--first", "7"], "frames 7 to the end"),
        (["--last", "9"], "a video of 6 frames"),
        (["--first", "4", "--last", "3"], "a last frame after the first"),
        (["--boxes", tmp_path / "boxes.txt"], "ends in .csv"),
        (["--gif", gif], "another file than the input"),
    ):
        assert said in refused("track", "follow", gif, "--box", BOX, "--run", trained, *words), words


def test_ratm_follows_only_what_it_was_trained_to_follow(gif: Path, tmp_path: Path) -> None:
    run = tmp_path / "ratm"
    options = ["--method", "ratm", "--epoch-videos", "16", "--epochs", "1", "--held-out", "4", "--window", "8"]
    assert saccade("track", "train", *options, "--batch-size", "16", "--out", run).code == 0
    assert "--method appearance" in refused("track", "follow", gif, "--box", BOX, "--run", run)


def test_resume_is_bit_for_bit(tmp_path: Path) -> None:
    from saccade.pipeline import systems
    from saccade.pipeline.config import default_run, route
    from saccade.pipeline.train.loop import Learner
    from saccade.track.videos import VideoSource

    settings = {"window": 8, "features": 2, "hidden": 4, "frames": 4, "epoch_videos": 24, "batch_size": 4, "epochs": 1}
    run = route(default_run("track", systems.spec("track")), {**settings, "dataset": "mixed", "ema": 0.9})
    whole, half, rest = (Learner(run, VideoSource(run.data, 0)) for _ in range(3))
    for _ in range(6):
        whole.advance()
    for _ in range(3):
        half.advance()
    rest.restore(half.snapshot())
    for _ in range(3):
        rest.advance()
    one, other = whole.snapshot().tensors, rest.snapshot().tensors
    assert one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)
