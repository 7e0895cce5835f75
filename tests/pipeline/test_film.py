"""Films and strips: read back, they have the frames, the times and the colours that were written."""

import os
from typing import NamedTuple

import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from saccade.errors import InputError
from saccade.pipeline.animate.film import GAP, LAST_BEATS, Film, check, frames, grid, strip, write, write_strip
from saccade.pipeline.animate.gif_palette import one_palette
from saccade.pipeline.animate.palette import GROUND
from saccade.pipeline.contract import Episode, Trace
from saccade.pipeline.systems import NoFacts

ENDINGS = ["gif", "webp", "png", "apng"]


class Output(NamedTuple):
    nested: tuple[Tensor, Tensor]


EPISODE = Episode(torch.zeros(5, 3, 1), torch.zeros(3, 1, 8, 8), torch.zeros(3))
TRACE = Trace("toy", Output((torch.zeros(5, 3), torch.zeros(5, 3, 2))), EPISODE, torch.zeros(3, 1, 8, 8), NoFacts())


def draw(trace: Trace, t: float, example: int) -> np.ndarray:
    """A frame whose colour tells t and the example; 20 x 30."""
    frame = np.full((20, 30, 3), GROUND, np.uint8)
    frame[5:15, 5:25] = (round(40 * t), 100 * example, 30)
    return frame


def photograph(seed: int, count: int = 4, side: int = 96) -> list[np.ndarray]:
    """Frames of many thousand colours around a flat square of one."""
    noise = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        smooth = noise.integers(0, 256, (6, 6, 3), np.uint8)
        frame = np.asarray(Image.fromarray(smooth).resize((side, side), Image.Resampling.BICUBIC)).copy()
        frame[10:40, 10:40] = (250, 248, 244)
        pictures.append(frame)
    return pictures


def read(path):
    """A film's frames, their durations in milliseconds, and how often it loops (0: for ever)."""
    with Image.open(path) as film:
        pictures, durations = [], []
        for i in range(getattr(film, "n_frames", 1)):
            film.seek(i)
            film.load()
            pictures.append(np.asarray(film.convert("RGB")))
            durations.append(film.info["duration"])
        return pictures, durations, film.info["loop"]


def test_frames_render_every_step_of_every_example_in_order():
    film = frames(draw, TRACE, [2, 0])
    wanted = [draw(TRACE, t, example) for example in (2, 0) for t in range(5)]
    assert len(film.frames) == 10
    assert all((a == b).all() for a, b in zip(film.frames, wanted, strict=True))
    assert film.beats == [1, 1, 1, 1, LAST_BEATS] * 2


def test_frames_between_steps_share_the_time_of_the_way():
    times = []
    film = frames(lambda trace, t, example: times.append(t) or draw(trace, t, example), TRACE, [1], between=3)
    assert times == [k / 4 for k in range(17)]
    assert film.beats[:5] == [1, 0.5 / 3, 0.5 / 3, 0.5 / 3, 1]
    assert film.beats[-1] == LAST_BEATS
    assert len(film.beats) == len(film.frames)


def test_one_step_makes_a_film_of_one_frame(tmp_path):
    still = TRACE._replace(outputs=torch.zeros(1, 3))
    film = frames(draw, still, [0], between=4)
    assert len(film.frames) == 1
    for ending in ENDINGS:
        write(tmp_path / f"still.{ending}", film)
        with Image.open(tmp_path / f"still.{ending}") as image:
            assert (np.asarray(image.convert("RGB")) == film.frames[0]).all()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_film_read_back_has_its_frames_durations_and_loops(tmp_path, ending):
    film = frames(draw, TRACE, [0, 1], between=2)
    path = write(tmp_path / f"film.{ending}", film, seconds_per_frame=0.8)
    pictures, durations, loop = read(path)
    assert len(pictures) == len(film.frames) == 26
    assert all((a == b).all() for a, b in zip(pictures, film.frames, strict=True))  # few colours: exact, in a GIF too
    assert durations == pytest.approx([800 * beats for beats in film.beats], abs=5)
    assert loop == 0
    assert os.listdir(tmp_path) == [path.name]
    if ending == "gif":  # another reader, as people's programs use it
        elsewhere = imageio.imread(path, index=None)[..., :3]
        assert all((a == b).all() for a, b in zip(elsewhere, film.frames, strict=True))


@pytest.mark.parametrize(("ending", "magic"), [("gif", b"GIF89a"), ("webp", b"RIFF"), ("png", b"\x89PNG")])
def test_the_ending_chooses_the_format_in_any_case(tmp_path, ending, magic):
    path = write(tmp_path / f"film.{ending.upper()}", frames(draw, TRACE, [0]))
    assert path.read_bytes().startswith(magic)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_film_gives_the_same_bytes(tmp_path, ending):
    film = Film(photograph(0), [1.0] * 4)
    first = write(tmp_path / f"a.{ending}", film).read_bytes()
    assert first == write(tmp_path / f"b.{ending}", film).read_bytes()


def test_a_gif_of_many_colours_has_one_palette_and_exact_flat_colours(tmp_path):
    film = Film(photograph(1), [1.0] * 4)
    assert len(np.unique(np.stack(film.frames).reshape(-1, 3), axis=0)) > 5000
    path = write(tmp_path / "film.gif", film)
    pictures, _, _ = read(path)
    for picture, frame in zip(pictures, film.frames, strict=True):
        assert (picture[10:40, 10:40] == (250, 248, 244)).all()
        difference = np.abs(picture.astype(int) - frame)
        assert difference.mean() < 12
    assert tables(path.read_bytes()) == (1, 0)


def tables(gif: bytes) -> tuple[int, int]:
    """Global and local colour tables of a GIF, read block by block (GIF89a specification)."""
    in_all, local = gif[10] >> 7, 0
    at = 13 + in_all * 3 * 2 ** ((gif[10] & 7) + 1)
    while gif[at] != 0x3B:
        is_image = gif[at] == 0x2C
        packed = gif[at + 9] if is_image else 0
        local += packed >> 7
        at += (11 + (packed >> 7) * 3 * 2 ** ((packed & 7) + 1)) if is_image else 2
        while gif[at]:
            at += gif[at] + 1
        at += 1
    return in_all, local


def test_a_palette_sends_a_colour_to_the_same_entry_in_every_frame():
    pictures = photograph(2)
    palette, indices = one_palette(pictures, 255)
    assert len(palette) <= 255
    entry: dict[tuple[int, ...], int] = {}
    for picture, index in zip(pictures, indices, strict=True):
        assert index.shape == picture.shape[:2]
        for colour, chosen in zip(picture[::7].reshape(-1, 3).tolist(), index[::7].ravel().tolist(), strict=True):
            assert entry.setdefault(tuple(colour), chosen) == chosen
    colours = np.array(list(entry))
    distances = ((colours[:, None].astype(int) - palette.astype(int)) ** 2).sum(axis=2)
    chosen = np.take_along_axis(distances, np.array(list(entry.values()))[:, None], axis=1)[:, 0]
    assert (chosen == distances.min(axis=1)).all()


def test_a_palette_that_holds_all_colours_is_exact():
    pictures = [draw(TRACE, t, e) for t in range(5) for e in range(3)]
    palette, indices = one_palette(pictures, 255)
    assert len(palette) == 16
    assert all((palette[index] == picture).all() for index, picture in zip(indices, pictures, strict=True))


@pytest.mark.parametrize("name", ["film.mp4", "film", "film.gif.txt", ".gif"])
def test_an_unknown_ending_names_the_known_ones_and_writes_nothing(tmp_path, name):
    with pytest.raises(InputError, match=r"\.gif, \.webp, \.png, \.apng") as caught:
        write(tmp_path / name, frames(draw, TRACE, [0]))
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("parent", ["nowhere", "file"])
def test_a_missing_folder_is_said_before_the_work(tmp_path, parent):
    (tmp_path / "file").write_text("a file, no folder")
    for attempt in (check, lambda path: write(path, frames(draw, TRACE, [0]))):
        with pytest.raises(InputError, match="expected a folder that is there"):
            attempt(tmp_path / parent / "film.gif")
    with pytest.raises(InputError, match="expected a folder that is there"):
        write_strip(tmp_path / parent / "strip.png", photograph(0))


def test_what_cannot_be_written_is_said_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "film.png"
    path.mkdir()  # a folder stands where the file should
    with pytest.raises(InputError, match="expected a file to write, found a folder"):
        write(path, frames(draw, TRACE, [0]))
    with pytest.raises(InputError, match="expected a file to write, found a folder"):
        write_strip(path, photograph(0))
    assert os.listdir(tmp_path) == ["film.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="expected a folder that can be written to"):
        write(tmp_path / "film.gif", frames(draw, TRACE, [0]))


def test_a_failed_encoding_leaves_the_old_film(tmp_path):
    path = write(tmp_path / "film.webp", frames(draw, TRACE, [0]))
    old = path.read_bytes()
    unequal = Film([np.zeros((8, 8, 3), np.uint8), np.zeros((9, 9, 3), np.uint8)], [1.0, 1.0])
    with pytest.raises(Exception):  # noqa: B017, PT011  (Pillow's own; a programmer's error, not a user's)
        write(path, unequal)
    assert path.read_bytes() == old


def test_a_strip_holds_all_frames_in_order(tmp_path):
    film = frames(draw, TRACE, [1])
    row = strip(film.frames)
    assert row.shape == (20 + 2 * GAP, 5 * 30 + 6 * GAP, 3)
    wrapped = strip(film.frames, columns=2)
    assert wrapped.shape == (3 * 20 + 4 * GAP, 2 * 30 + 3 * GAP, 3)
    for i, frame in enumerate(film.frames):
        left = GAP + i * (30 + GAP)
        assert (row[GAP : GAP + 20, left : left + 30] == frame).all()
        top, left = GAP + i // 2 * (20 + GAP), GAP + i % 2 * (30 + GAP)
        assert (wrapped[top : top + 20, left : left + 30] == frame).all()
    assert (wrapped[-20 - GAP :, -30 - GAP :] == GROUND).all()  # the sixth place is empty
    path = write_strip(tmp_path / "strip.png", film.frames, columns=2)
    with Image.open(path) as image:
        assert (np.asarray(image) == wrapped).all()


def test_a_strip_is_a_png(tmp_path):
    with pytest.raises(InputError, match=r"ends in \.png"):
        write_strip(tmp_path / "strip.gif", photograph(0))


def test_a_grid_shows_films_at_once():
    films = [frames(draw, TRACE, [example], between=1) for example in (0, 1, 2)]
    together = grid(films)
    assert together.beats == films[0].beats
    assert len(together.frames) == 9
    for t in range(9):
        for i, film in enumerate(films):
            top, left = GAP + i // 2 * (20 + GAP), GAP + i % 2 * (30 + GAP)
            assert (together.frames[t][top : top + 20, left : left + 30] == film.frames[t]).all()
