"""A user's recordings: video files, GIFs, folders; and what is wrong with some of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saccade.errors import InputError
from saccade.videos.files import Box, Picture, cropped, fitted, parse_box, read_frames

av = pytest.importorskip("av")


def frames_of(count: int = 5, width: int = 48, height: int = 32) -> list[Picture]:
    """Grey frames, each brighter than the one before."""
    return [np.full((height, width, 3), 20 + 40 * n, np.uint8) for n in range(count)]


def write_gif(path: Path, frames: list[Picture]) -> Path:
    images = [Image.fromarray(frame) for frame in frames]
    images[0].save(path, save_all=True, append_images=images[1:], duration=40)
    return path


def write_mp4(path: Path, frames: list[Picture]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def write_folder(path: Path, frames: list[Picture]) -> Path:
    path.mkdir()
    for n, frame in enumerate(frames):
        Image.fromarray(frame).save(path / f"frame{n + 8}.png")  # 8, 9, 10, ...: numbers are counted as numbers
    return path


@pytest.mark.parametrize(("name", "write"), [("clip.gif", write_gif), ("clip.mp4", write_mp4), ("clip", write_folder)])
def test_frames_are_read_in_their_order(tmp_path: Path, name: str, write: object) -> None:
    path = write(tmp_path / name, frames_of())  # type: ignore[operator]
    found = list(read_frames(path))
    assert [frame.shape for frame in found] == [(32, 48, 3)] * 5
    assert [round(float(frame.mean()) / 40) for frame in found] == [0, 2, 2, 4, 4] or all(
        abs(float(frame.mean()) - (20 + 40 * n)) < 4 for n, frame in enumerate(found)
    )


def test_frames_are_decoded_one_by_one(tmp_path: Path) -> None:
    """A damaged end is only seen when it is reached."""
    path = write_folder(tmp_path / "clip", frames_of(3))
    (path / "frame9999.png").write_bytes(b"no picture")
    frames = read_frames(path)
    assert [int(next(frames).mean()) for _ in range(3)] == [20, 60, 100]
    with pytest.raises(InputError, match=r"a picture in .*frame9999"):
        next(frames)


def test_a_video_of_no_frames_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"frames in .*found none"):
        list(read_frames(tmp_path / "empty"))
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(InputError, match=r"a whole video in .*empty\.mp4"):
        list(read_frames(tmp_path / "empty.mp4"))


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str) -> None:
    path = {"clip.mp4": write_mp4, "clip.gif": write_gif}[name](tmp_path / name, frames_of())
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        list(read_frames(path))


def test_frames_of_different_sizes_are_refused(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "clip", [*frames_of(2), *frames_of(1, width=50)])
    with pytest.raises(InputError, match=r"frames of 48 x 32 pixels in .*found 50 x 32 in frame 3"):
        list(read_frames(path))


def test_reading_stops_at_the_stated_length(tmp_path: Path) -> None:
    path = write_gif(tmp_path / "clip.gif", frames_of(5))
    with pytest.raises(InputError, match="at most 3 frames"):
        list(read_frames(path, 3))
    assert len(list(read_frames(path, 5))) == 5


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(read_frames(tmp_path / "none.mp4"))
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="a whole video"):
        list(read_frames(tmp_path / "notes.txt"))


def test_boxes_are_read_and_checked() -> None:
    assert parse_box("205,151,17,50") == Box(205, 151, 17, 50)
    for wrong in ("1,2,3", "a,b,c,d", "1,2,0,4", "-1,2,3,4", ""):
        with pytest.raises(InputError, match="a box as x,y,width,height"):
            parse_box(wrong)
    frame = frames_of(1)[0]
    assert cropped(frame, Box(40, 30, 8, 2)).shape == (2, 8, 3)
    with pytest.raises(InputError, match="a box inside the frame of 48 x 32"):
        cropped(frame, Box(41, 0, 8, 8))


def test_frames_are_cropped_to_the_networks_shape_from_their_middle() -> None:
    frame = np.zeros((32, 48, 3), np.uint8)
    frame[:, 8:40] = 200
    assert (fitted(frame, 1, 16, 16) == 200).all()
    assert fitted(frame, 3, 28, 48).shape == (3, 28, 48)
