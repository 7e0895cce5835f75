"""Video data: moving digits, GRID, skeletons; their labels, their augmentation, and files that do not fit."""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from saccade.errors import InputError
from saccade.videos.augment import mixed, pictures, rotations, skeletons, stretched
from saccade.videos.config import VideoData, VideoFacts
from saccade.videos.grid import load_sentences, load_words, parted
from saccade.videos.joints import BODY, BONES, JOINTS, ROOT, load_joints, sized, smoothed
from saccade.videos.load import load_videos
from saccade.videos.moving import BouncingSource, trajectories
from saccade.videos.recordings import UNKNOWN, Clips, Recordings, RecordingSource, Timing, gather
from saccade.videos.turning import DIRECTIONS, MOVES, SMALL, TurningSource, pair_names

MOVING_TEST = "1730c77400d69922"
TURNING_TEST = "d65d019c25b05ed0"


def checksum(*tensors: torch.Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def test_the_test_sets_of_moving_digits_are_frozen() -> None:
    bouncing = BouncingSource(VideoData(held_out=20), seed=5).held_out("test")
    turning = TurningSource(VideoData(held_out=20), seed=5, sentences=True).held_out("test")
    assert checksum(bouncing.frames) == MOVING_TEST
    assert checksum(turning.frames, torch.as_tensor(turning.words)) == TURNING_TEST


def test_bouncing_digits_keep_their_speed_and_stay_inside() -> None:
    places = trajectories(0, "test", 0, 200, 20, 2)
    assert places.min() == 0 and places.max() == 36
    moves = (places[:, 1:] - places[:, :-1]).double().norm(dim=3)
    assert moves.max() <= 3.6 + 2**0.5
    assert ((moves - 3.6).abs() < 1.5).double().mean() > 0.85  # all but those at an edge


def test_batches_are_pure_functions_of_seed_and_step_and_sets_are_disjoint() -> None:
    data = VideoData(held_out=10)
    one, other = BouncingSource(data, seed=1), BouncingSource(data, seed=1)
    assert torch.equal(one.batch(3, 4).frames, other.batch(3, 4).frames)
    assert not torch.equal(one.batch(3, 4).frames, one.batch(4, 4).frames)
    assert not torch.equal(one.batch(0, 4).frames, BouncingSource(data, seed=2).batch(0, 4).frames)
    assert not torch.equal(one.held_out("test").frames, one.held_out("validation").frames)


def test_a_turning_digit_goes_where_its_labels_say() -> None:
    clips = TurningSource(VideoData(), seed=0, sentences=True).batch(0, 50)
    assert clips.step_labels is not None and clips.words is not None
    middles = []
    for frames, length in zip(clips.frames[:, :, 0].double(), clips.lengths.tolist(), strict=True):
        angle = 2 * np.pi * torch.arange(SMALL).double() / SMALL
        circle = torch.stack([angle.cos(), angle.sin()])
        across, down = frames[:length].sum(1) @ circle.t(), frames[:length].sum(2) @ circle.t()
        angles = [torch.atan2(s[:, 1], s[:, 0]) for s in (across, down)]
        middles.append(torch.stack(angles, dim=1) * SMALL / (2 * np.pi))
    for middle, labels, length in zip(middles, clips.step_labels, clips.lengths.tolist(), strict=True):
        moves = (middle[1:] - middle[:-1] + SMALL / 2) % SMALL - SMALL / 2
        ways = torch.tensor(MOVES)[labels[1:length]].double()
        along = (moves * ways).sum(1)
        assert (along > 0.9).all() and (along < 3.1).all()
        assert ((moves - along[:, None] * ways).abs() < 1e-6).all()
    for words, labels in zip(clips.words.tolist(), clips.step_labels.tolist(), strict=True):
        runs = [label for before, label in zip([UNKNOWN, *labels], labels, strict=False) if label != before]
        assert [run for run in runs if 0 <= run < 4] == [word for word in words if word != UNKNOWN]


def test_the_class_of_a_turning_clip_is_its_pair_of_ways() -> None:
    clips = TurningSource(VideoData(), seed=0, sentences=False).batch(0, 100)
    assert clips.words is not None
    for label, (first, second) in zip(clips.labels.tolist(), clips.words.tolist(), strict=True):
        assert pair_names()[label] == f"{DIRECTIONS[first]}, then {DIRECTIONS[second]}"
    assert len(set(clips.labels.tolist())) == 12


@pytest.fixture
def grid_arrays() -> dict[str, Any]:
    """Four clips of 12 frames with three words each; the last word of the first clip has no frame of its own."""
    rng = np.random.default_rng(0)
    vocab = np.array(["bin", "now", "red", "sil", "sp"])
    labels = np.tile([3, 3, 0, 0, 4, 2, 2, 2, 1, 1, 3, 3], (4, 1))
    start, end = np.tile([2, 5, 8], (4, 1)), np.tile([4, 8, 10], (4, 1))
    end[0, 2] = 8
    return {
        "frames": rng.integers(1, 255, (4, 12, 10, 14), dtype=np.uint8),
        "frame_word": labels.astype(np.uint8),
        "vocab": vocab,
        "words": np.tile(["bin", "red", "now"], (4, 1)),
        "start": start.astype(np.uint8),
        "end": end.astype(np.uint8),
    }


def saved(folder: Path, arrays: dict[str, Any]) -> Path:
    path = folder / "data.npz"
    np.savez_compressed(path, **arrays)
    return path


def test_words_are_cut_by_their_boundaries(tmp_path: Path, grid_arrays: dict[str, Any]) -> None:
    grid = load_words(saved(tmp_path, grid_arrays), context=1)
    assert grid.classes == ("bin", "now", "red")
    assert len(grid.train.labels) + len(grid.test.labels) == 12 and len(grid.test.labels) == 3
    whole = torch.cat([grid.train.spans, grid.test.spans])
    frames = (whole[:, 1] - whole[:, 0]).sort().values.tolist()
    assert frames == [3, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5]  # with 1 frame of context on each side; 0 frames count as 1
    sentences = load_sentences(tmp_path / "data.npz")
    assert sentences.classes == ("bin", "now", "red", "sil", "sp")
    assert sentences.train.words is not None and sentences.train.words[0].tolist() == [0, 2, 1]


def test_a_words_own_frames_are_marked_among_its_context(tmp_path: Path, grid_arrays: dict[str, Any]) -> None:
    path = saved(tmp_path, grid_arrays)
    grid = load_words(path, context=3, mark=True)
    clips = gather(grid.train, torch.arange(len(grid.train.labels)))
    assert clips.own is not None and clips.step_labels is not None
    own = clips.own.sum(1)
    assert set(own.tolist()) == {1, 2, 3}  # one word has no frame of its own, and gets one
    said = clips.step_labels
    for label, mark, frames in zip(clips.labels.tolist(), clips.own, said, strict=True):
        if int(mark.sum()) > 1:
            assert frames[mark].eq(label).all()
    assert (said[~clips.own] != UNKNOWN).any(), "the words around it have labels as well"
    assert not clips.own[torch.arange(said.shape[1]) >= clips.lengths[:, None]].any()
    nearest = gather(grid.train, torch.tensor([0]), [torch.tensor([0.0, 40.0]).double()])
    assert nearest.own is not None and nearest.own.sum() == 1, "a clip that skips its own frames marks the nearest"


def test_skeletons_are_resampled_to_a_number_of_frames() -> None:
    line = torch.arange(5.0)[:, None, None].expand(5, JOINTS, 3)
    spans = torch.tensor([[0, 5]])
    held = Recordings(line, spans, torch.zeros(1, dtype=torch.int64), spans)
    facts = VideoFacts("clip", "joints", JOINTS, 1, 3, ("a",))
    source = RecordingSource(held, {"test": held}, facts, 0, Timing(frames=9))
    for clips in (source.held_out("test"), source.batch(0, 1)):
        torch.testing.assert_close(clips.frames[0, :, 0, 0], torch.linspace(0, 4, 9))
        assert clips.lengths.tolist() == [9]


def test_mixed_clips_are_between_two_and_say_how_much() -> None:
    joints, labels = torch.randn(40, 3, JOINTS, 3), torch.arange(40)
    clips = mixed(Clips(joints, torch.full((40,), 3), labels), 0, 5, strength=0.3)
    assert clips.others is not None and clips.shares is not None
    expected = (1 - clips.shares[:, None, None, None]) * joints + clips.shares[:, None, None, None] * joints[
        clips.others
    ]
    torch.testing.assert_close(clips.frames, expected)
    assert clips.others.sort().values.equal(labels) and clips.shares.min() >= 0 and clips.shares.max() <= 1
    many = mixed(Clips(torch.zeros(4000, 1, JOINTS, 3), torch.ones(4000), torch.zeros(4000)), 0, 0, strength=0.3).shares
    assert many is not None
    assert many.mean() == pytest.approx(0.5, abs=0.02)
    assert many.var() == pytest.approx(1 / (4 * (2 * 0.3 + 1)), abs=0.01)  # of Beta(a, a)


def test_bodies_get_one_size() -> None:
    joints = torch.randn(6, JOINTS, 3)
    torch.testing.assert_close(sized(joints), sized(3 * joints))
    lengths = [(sized(joints)[:, b] - sized(joints)[:, a]).norm(dim=1).mean() for a, b in BONES]
    assert sum(lengths) == pytest.approx(BODY)


def test_parts_of_sentences_have_every_word_once_with_its_frames(tmp_path: Path, grid_arrays: dict[str, Any]) -> None:
    sentences = load_sentences(saved(tmp_path, grid_arrays)).train
    single, pairs = parted(sentences, 1, 1), parted(sentences, 2, 1)
    assert single.words is not None and pairs.words is not None and sentences.words is not None
    assert single.words[:, 0].view(3, -1).t().equal(sentences.words)
    assert pairs.words[: len(sentences.labels)].equal(sentences.words[:, :2])
    assert pairs.words[len(sentences.labels) :, 1].eq(UNKNOWN).all(), "the third word has no partner"
    start = sentences.spans[1, 0]
    assert [(span - start).tolist() for span in single.spans[1 :: len(sentences.labels)]] == [[1, 5], [4, 9], [7, 11]]
    assert [(span - start).tolist() for span in pairs.spans[1 :: len(sentences.labels)]] == [[1, 9], [7, 11]]


def test_words_and_sentences_have_the_same_test_clips(tmp_path: Path, grid_arrays: dict[str, Any]) -> None:
    path = saved(tmp_path, grid_arrays)
    words, sentences = load_words(path, 0), load_sentences(path)
    assert (words.test.spans // 12).unique().tolist()[0] == int(sentences.test.spans[0, 0]) // 12


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"frames": np.zeros((4, 12, 10, 14), np.uint8)}, "all-zero clip, number 0"),
        ({"frames": np.ones((4, 12, 10), np.uint8)}, r"uint8 \[4, 12, 10\]"),
        ({"frame_word": np.zeros((4, 11), np.uint8)}, r"uint8 \[4, 11\]"),
        ({"end": np.full((4, 3), 13, np.uint8)}, "words inside the 12 frames"),
        ({"words": np.full((4, 3), "blue")}, "'blue'"),
        ({"frame_word": np.full((4, 12), 9, np.uint8)}, "frame labels 0 to 4"),
        ({"words": np.array([[None] * 3] * 4)}, "Object arrays"),
    ],
)
def test_grid_files_that_do_not_fit_are_refused(
    tmp_path: Path, grid_arrays: dict[str, Any], change: dict[str, Any], found: str
) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **(grid_arrays | change))
    with pytest.raises(InputError, match=found):
        load_words(path, 1)


def test_missing_and_damaged_archives_are_refused(tmp_path: Path, grid_arrays: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_words(tmp_path / "none.npz", 1)
    path = saved(tmp_path, grid_arrays)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="GRID as arrays"):
        load_words(path, 1)
    del grid_arrays["end"]
    with pytest.raises(InputError, match="no end"):
        load_words(saved(tmp_path, grid_arrays), 1)


def joint_arrays() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    lengths = np.array([5, 4, 501, 3, 6])
    places = rng.normal(size=(lengths.sum(), 60)).astype(np.float16)
    places[-9:-6] = 0  # the fourth clip
    places[0] = 0  # one frame of the first
    return {"X": places, "lengths": lengths, "action": np.array([1, 2, 1, 2, 3]), "subject": np.array([1, 2, 1, 2, 4])}


def test_clips_without_measurements_and_very_long_ones_are_left_out_and_named(tmp_path: Path) -> None:
    found = load_joints(saved(tmp_path, joint_arrays()))
    assert found.left_out == ("clip 2: 501 frames, more than 500", "clip 3: all its frames are zeros")
    lengths = found.train.spans[:, 1] - found.train.spans[:, 0]
    assert lengths.tolist() == [4]  # without the frame that was not measured
    assert found.test.labels.tolist() == [1, 2]


def test_smoothing_keeps_a_parabola_and_lessens_noise() -> None:
    time = torch.arange(20.0)[:, None, None]
    path = (3 + 2 * time - 0.1 * time.square()).expand(-1, JOINTS, 3)
    torch.testing.assert_close(smoothed(path)[2:-2], path[2:-2])
    noise = torch.randn(500, JOINTS, 3, generator=torch.Generator().manual_seed(0))
    assert smoothed(noise).std() < 0.75 * noise.std()


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("X", np.zeros((519, 59), np.float16), r"\[519, 59\]"),
        ("X", np.full((519, 60), np.nan, np.float16), "NaN or infinity in frame 0"),
        ("lengths", np.array([5, 4, 501, 3, 5]), "lengths that sum up to the 519"),
        ("subject", np.array([1, 1, 1, 1, 1]), "only one kind"),
        ("action", np.array([1, 2]), "5, 2, 5"),
    ],
)
def test_joints_that_do_not_fit_are_refused(tmp_path: Path, key: str, value: Any, found: str) -> None:
    with pytest.raises(InputError, match=found):
        load_joints(saved(tmp_path, joint_arrays() | {key: value}))


def test_stretching_keeps_the_bones_directions_and_turning_their_lengths() -> None:
    joints = torch.randn(2, 3, JOINTS, 3, generator=torch.Generator().manual_seed(0))
    factors = torch.linspace(0.8, 1.2, 2 * len(BONES)).view(2, -1)
    after = stretched(joints, factors)
    torch.testing.assert_close(after[:, :, ROOT], joints[:, :, ROOT])
    for bone, (parent, child) in enumerate(BONES):
        before = joints[:, :, child] - joints[:, :, parent]
        torch.testing.assert_close(after[:, :, child] - after[:, :, parent], before * factors[:, bone, None, None])
    turn = rotations(torch.tensor([0.3, -1.0]), torch.tensor([0.1, 0.2]))
    torch.testing.assert_close(turn @ turn.transpose(1, 2), torch.eye(3).expand(2, 3, 3))


def test_augmentation_changes_a_clip_in_the_same_way_in_all_frames() -> None:
    frames = torch.randint(1, 200, (8, 1, 1, 12, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    clips = Clips(frames.expand(-1, 4, -1, -1, -1), torch.full((8,), 4), torch.zeros(8, dtype=torch.int64))
    after = pictures(clips, 0, 1, mirror=True, shift=2, contrast=0.2).frames
    assert all(torch.equal(after[:, 0], after[:, t]) for t in range(4))
    assert torch.equal(after, pictures(clips, 0, 1, mirror=True, shift=2, contrast=0.2).frames)
    assert not torch.equal(after, pictures(clips, 0, 2, mirror=True, shift=2, contrast=0.2).frames)
    joints = Clips(torch.randn(4, 5, JOINTS, 3), torch.full((4,), 5), torch.zeros(4, dtype=torch.int64))
    torch.testing.assert_close(skeletons(joints, 0, 1, turn=0.0, stretch=0.0).frames, joints.frames)


def test_moving_mnist_is_read_as_it_is_distributed(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, (20, 3, 64, 64), dtype=np.uint8)
    np.save(tmp_path / "mnist_test_seq.npy", array)
    source = load_videos(VideoData(dataset=f"npy:{tmp_path / 'mnist_test_seq.npy'}"), "next", 0)
    held = source.held_out("test")
    assert np.array_equal(held.frames[:, :, 0].numpy(), array.transpose(1, 0, 2, 3))
    for bad, found in ((array.astype(np.float32), "float32"), (array[:, :, :60], "60"), (array[:15], "15")):
        np.save(tmp_path / "bad.npy", bad)
        with pytest.raises(InputError, match=found):
            load_videos(VideoData(dataset=f"npy:{tmp_path / 'bad.npy'}"), "next", 0)


def test_data_without_targets_for_the_task_are_refused() -> None:
    with pytest.raises(InputError, match="data for the task next: moving, npy"):
        load_videos(VideoData(dataset="grid:any.npz"), "next", 0)
    with pytest.raises(InputError, match="data for the task frames: moving, grid"):
        load_videos(VideoData(dataset="joints:any.npz"), "frames", 0)


@pytest.mark.skipif("SACCADE_DATA" not in os.environ, reason="SACCADE_DATA names no folder of data")
def test_real_files_have_the_published_layout() -> None:
    folder = Path(os.environ["SACCADE_DATA"])
    if not (folder / "msr_action3d").is_dir():
        pytest.skip("no msr_action3d in SACCADE_DATA")
    joints = load_joints(folder / "msr_action3d" / "msr_action3d.npz")
    assert len(joints.left_out) == 2 and len(joints.train.labels) + len(joints.test.labels) == 565
