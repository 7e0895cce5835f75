"""Generated videos: the boxes are where the targets are, and every batch is a function of its seed and step."""

from typing import Any

import pytest
import torch

from saccade.errors import InputError
from saccade.track.config import FRAME, KINDS, TrackData
from saccade.track.scenes import HIDDEN, THINGS, load_material
from saccade.track.videos import Videos, VideoSource
from saccade.track.window import read_box


def source(dataset: str, seed: int = 0, **settings: Any) -> VideoSource:
    return VideoSource(TrackData(dataset=dataset, held_out=20, **settings), seed)


@pytest.mark.parametrize("kind", KINDS)
def test_videos_have_frames_boxes_and_visibility(kind: str) -> None:
    videos = source(kind, frames=6).batch(0, 5)
    channels = 1 if kind == "moving" else 3
    assert videos.frames.shape == (5, 6, channels, FRAME, FRAME) and videos.frames.dtype == torch.uint8
    assert videos.boxes.shape == (5, 6, 4) and videos.visible.shape == (5, 6)
    assert (videos.boxes[..., 2:] > 0).all() and videos.boxes[..., :2].abs().max() <= 1
    assert videos.frames.float().std() > 1
    assert source(kind).facts.channels == channels


def test_a_batch_depends_on_seed_and_step_alone_and_held_out_videos_never_change() -> None:
    one, again, other = source("mixed"), source("mixed"), source("mixed", seed=1)
    assert all(torch.equal(a, b) for a, b in zip(one.batch(3, 4), again.batch(3, 4), strict=True))
    assert not torch.equal(one.batch(3, 4).boxes, one.batch(4, 4).boxes)
    assert not torch.equal(one.batch(3, 4).boxes, other.batch(3, 4).boxes)
    assert torch.equal(one.held_out("test").frames, other.held_out("test").frames)
    assert not torch.equal(one.held_out("test").boxes, one.held_out("validation").boxes)
    with pytest.raises(InputError, match="lower --batch-size"):
        one.batch(0, 2_001)


def test_the_box_of_a_digit_is_its_picture_with_its_border() -> None:
    videos = source("moving").batch(0, 8)
    half = 14 / FRAME * 2 / 2
    assert torch.allclose(videos.boxes[..., 2:], torch.tensor(2 * half))
    for example in range(8):
        for frame, box in zip(videos.frames[example, :, 0], videos.boxes[example], strict=True):
            rows, columns = torch.nonzero(frame, as_tuple=True)
            left, top = ((box[:2] - box[2:] + 1) * FRAME / 2).round().tolist()
            assert left <= columns.min() and columns.max() < left + 28
            assert top <= rows.min() and rows.max() < top + 28


def test_a_ball_alone_fills_its_box() -> None:
    videos = source("balls", hidden_percent=0).batch(0, 40)
    inside = [read_box(videos.frames[:, t], videos.boxes[:, t], 9) for t in range(10)]
    middle = torch.stack(inside)[..., 4, 4]  # [T, B, C]
    assert (middle.std(0).amax(1) < 0.05).float().mean() > 0.9, "its colour does not change, others pass behind it"
    assert videos.visible.all()


def test_what_passes_in_front_hides_the_target() -> None:
    never, always = (source("scenes", hidden_percent=percent).batch(0, 64) for percent in (0, 100))
    assert never.visible.all()
    hidden = ~always.visible
    assert 0.02 < hidden.float().mean() < 0.5 and not hidden[:, 0].any()
    assert torch.equal(never.boxes, always.boxes)
    same = (never.frames == always.frames).all(2).float()
    seen, covered = ([], [])
    for example, t in torch.cartesian_prod(torch.arange(64), torch.arange(10)).tolist():
        x, y, w, h = ((always.boxes[example, t] + torch.tensor([1, 1, 0, 0])) * FRAME / 2).tolist()
        rows, columns = slice(max(0, round(y - h)), round(y + h)), slice(max(0, round(x - w)), round(x + w))
        (covered if hidden[example, t] else seen).append(same[example, t, rows, columns].mean().item())
    assert sum(covered) / len(covered) < HIDDEN < sum(seen) / len(seen)


def test_held_out_scenes_are_made_of_other_parts_of_the_photographs() -> None:
    train, test = load_material("train"), load_material("test")
    assert train.backgrounds.shape == test.backgrounds.shape and THINGS == 4
    assert not torch.equal(train.textures, test.textures)


def test_more_digits_can_move_around() -> None:
    one, three = source("moving").batch(0, 16), source("moving", others=2).batch(0, 16)
    assert (three.frames > 0).float().mean() > 1.5 * (one.frames > 0).float().mean()
    assert isinstance(three, Videos)
