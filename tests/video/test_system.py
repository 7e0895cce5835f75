"""The video system: its three tasks learn, are resumed bit for bit, are causal, and are filmed."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.pipeline.config import AnyRun, Run
from saccade.pipeline.contract import AnyEpisode, Episode
from saccade.pipeline.evaluate.evaluate import unrolled
from saccade.pipeline.session import train_run
from saccade.pipeline.train.loop import Learner
from saccade.pipeline.trained import AnyTrained, open_trained
from saccade.recurrent.tree import named_tensors, take
from saccade.recurrent.unroll import unroll
from saccade.video.clip import Classes, network_frames, other_views
from saccade.video.config import SPEC, Config
from saccade.video.forecaster import Given
from saccade.video.reader import Answer
from saccade.video.recogniser import build_recogniser, draw_masks
from saccade.video.system import SYSTEM
from saccade.video.watcher import Watcher
from saccade.videos.config import VideoFacts

DATA = replace(SPEC.data, held_out=40, epoch_clips=64, given=4, predicted=3)
TRAIN = replace(SPEC.train, epochs=2, batch_size=16, precision="fp32", threads=1)
SMALL: dict[str, Any] = {"hidden": 16, "features": 12, "width": 4, "channels": 4}
KINDS: dict[str, dict[str, Any]] = {
    "clip": {"task": "clip"},
    "clip-both": {"task": "clip", "direction": "both", "layers": 2, "encoder": "components", "components": 8},
    "clip-views": {"task": "clip", "direction": "both", "views": 1},
    "frames": {"task": "frames"},
    "next-convlstm": {"task": "next", "network": "convlstm"},
    "next-objects": {"task": "next"},
}


def run_of(kind: str, **train: Any) -> AnyRun:
    return Run(system="video", data=DATA, model=Config(**SMALL, **KINDS[kind]), train=replace(TRAIN, **train))


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, AnyTrained]:
    """One network a kind, trained for a second."""
    found = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp("video") / kind
        train_run(run_of(kind), folder)
        found[kind] = open_trained(folder)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_trained_measured_and_filmed(networks: dict[str, AnyTrained], kind: str) -> None:
    network = networks[kind]
    metrics, _ = network.evaluate("test")
    assert metrics["examples"] == 40
    keys = {"clip": "accuracy_percent", "frames": "word_error_percent", "next": "mse"}
    assert math.isfinite(metrics[keys[kind.partition("-")[0]]])
    trace = network.look(network.held_out(network.source(), "test", 3, 1))
    steps = len(next(iter(named_tensors(trace.outputs).values())))
    pictures = [SYSTEM.picture(trace, t, 0) for t in (0, steps // 2, steps - 1)]
    assert all(picture.shape == (600, 960, 3) and picture.dtype == np.uint8 for picture in pictures)
    assert any((pictures[0] != other).any() for other in pictures[1:])


def test_an_answer_of_several_views_is_their_mean(networks: dict[str, AnyTrained]) -> None:
    network = networks["clip-views"]
    batch: Any = network.held_out(network.source(), "test", 0, 40)
    found = [
        network.look(clips).outputs.logits[clips.lengths - 1, torch.arange(40)].softmax(1)
        for clips in (batch, batch._replace(frames=batch.frames.flip(-1)))
    ]
    right = (sum(found, torch.zeros(())).argmax(1) == batch.labels).double().mean().item()
    alone = (found[0].argmax(1) == batch.labels).double().mean().item()
    metrics, _ = network.evaluate("test")
    assert metrics["accuracy_percent"] == pytest.approx(100 * right)
    assert metrics["one_view_accuracy_percent"] == pytest.approx(100 * alone)


def test_a_mixed_clip_counts_for_both_its_classes() -> None:
    logits = torch.randn(5, 3, 4)
    own, others, shares = torch.tensor([0, 1, 2]), torch.tensor([3, 1, 0]), torch.tensor([0.25, 0.5, 1.0])
    episode = Episode(torch.zeros(5, 3, 1), None, Classes(own, others, shares))
    found = SYSTEM.loss(Answer(logits, None), episode, Config()).total
    surprise = -logits[-1].log_softmax(1)
    each = [
        (1 - s) * surprise[n, a] + s * surprise[n, b]
        for n, (a, b, s) in enumerate(zip(own, others, shares, strict=True))
    ]
    torch.testing.assert_close(found, torch.stack(each).mean())


def test_skeletons_are_seen_from_both_sides() -> None:
    joints = torch.randn(4, 2, 20, 1, 3)
    left, right, *farther = other_views(joints, 4)
    torch.testing.assert_close(left[..., 1], joints[..., 1])  # turned around the vertical axis
    back = torch.linalg.lstsq(left.reshape(-1, 3), joints.reshape(-1, 3)).solution
    torch.testing.assert_close(right, joints @ back)
    assert len(farther) == 2


@pytest.mark.parametrize("kind", ["clip-both", "next-objects"])
def test_a_training_is_resumed_bit_for_bit(networks: dict[str, AnyTrained], kind: str) -> None:
    source = networks[kind].source()
    whole, first, second = (Learner(run_of(kind), source) for _ in range(3))
    for _ in range(4):
        whole.advance()
    for _ in range(2):
        first.advance()
    second.restore(first.snapshot())
    for _ in range(2):
        second.advance()
    for one, other in zip(whole.core.parameters(), second.core.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_label_needs_motion_and_a_recurrent_network_learns_it(tmp_path: Path) -> None:
    """Twelve ordered pairs of ways: chance is 8.3%, and the set of ways without their order gives 50%."""
    model = Config(task="clip", dropout=0.0)
    data = replace(SPEC.data, held_out=200, epoch_clips=32 * 150)
    train_run(Run("video", data, model, replace(TRAIN, epochs=1, batch_size=32)), tmp_path / "run")
    metrics, _ = open_trained(tmp_path / "run").evaluate("test")
    assert metrics["accuracy_percent"] > 75


@pytest.mark.parametrize("kind", ["clip", "frames"])
def test_answers_while_frames_arrive_are_those_of_the_whole_clip(networks: dict[str, AnyTrained], kind: str) -> None:
    network = networks[kind]
    assert isinstance(network, Watcher)
    batch: Any = network.held_out(network.source(), "test", 0, 1)
    whole = network.look(batch).outputs
    length = int(batch.lengths[0])
    for t, (glance, answer, _) in enumerate(network.watch(batch.frames[0, :length].numpy())):
        torch.testing.assert_close(answer.logits[0], whole.logits[t])
        assert glance.label == network.facts.classes[int(whole.logits[t, 0].argmax())]
        assert glance.milliseconds > 0


@pytest.mark.parametrize("kind", ["clip-both", "next-objects"])
def test_networks_that_need_more_than_the_past_do_not_watch(networks: dict[str, AnyTrained], kind: str) -> None:
    network = networks[kind]
    assert isinstance(network, Watcher)
    with pytest.raises(InputError, match="answers while frames arrive"):
        next(network.watch([np.zeros((1, 32, 32), np.uint8)]))


def test_two_way_answers_in_a_padded_batch_are_those_of_each_clip_alone() -> None:
    torch.manual_seed(0)
    facts = VideoFacts("frames", "pictures", 1, 12, 10, ("a", "b", "rest"), 1)
    for task in ("clip", "frames"):
        config = Config(task=task, direction="both", hidden=8, features=6, width=4)
        core = build_recogniser(config, facts).double()
        frames = torch.rand(6, 3, 1, 12, 10).double()
        lengths = torch.tensor([6, 2, 4])
        masks = draw_masks(config, 3, torch.Generator().manual_seed(1))
        outputs, _ = unroll(core, frames, core.initial_state(3), masks, lengths=lengths)
        spoilt = frames.clone()
        for i, length in enumerate(lengths.tolist()):
            spoilt[length:, i] = math.nan
            alone, _ = unroll(core, frames[:length, i : i + 1], core.initial_state(1), take(masks, slice(i, i + 1)))
            torch.testing.assert_close(outputs.logits[:length, i], alone.logits[:, 0])
            assert (outputs.logits[length:, i] == 0).all()
        again, _ = unroll(core, spoilt, core.initial_state(3), masks, lengths=lengths)
        assert torch.equal(again.logits, outputs.logits)


def test_dropout_masks_act_in_training_alone() -> None:
    facts = VideoFacts("clip", "pictures", 1, 12, 10, ("a", "b"))
    for direction in ("forward", "both"):
        config = Config(direction=direction, hidden=8, features=6, width=4, dropout=0.5)
        core = build_recogniser(config, facts)
        frames = torch.rand(3, 2, 1, 12, 10)
        masks = draw_masks(config, 2, torch.Generator().manual_seed(1))
        assert masks is not None and set(masks.features.unique().tolist()) == {0.0, 2.0}
        results = {}
        for mode in (True, False):
            core.train(mode)
            with_masks, _ = unroll(core, frames, core.initial_state(2), masks)
            without, _ = unroll(core, frames, core.initial_state(2))
            results[mode] = torch.equal(with_masks.logits, without.logits)
        assert results == {True: False, False: True}


def forecast(network: AnyTrained, episode: AnyEpisode) -> Tensor:
    outputs: Any = unrolled(network.core, episode)
    return outputs.frame


@pytest.mark.parametrize("kind", ["next-convlstm", "next-objects"])
def test_what_is_predicted_does_not_depend_on_frames_that_are_not_seen(
    networks: dict[str, AnyTrained], kind: str
) -> None:
    network = networks[kind]
    batch = network.held_out(network.source(), "test", 0, 3)
    episode = SYSTEM.episode(batch, network.config, torch.Generator())
    assert episode.inputs.seen.sum(0).tolist() == [4, 4, 4]
    frames = episode.inputs.frame.clone()
    frames[4:] = torch.rand_like(frames[4:])
    with torch.no_grad():
        one = forecast(network, episode)
        other = forecast(network, episode._replace(inputs=Given(frames, episode.inputs.seen)))
    assert torch.equal(one, other)
    frames[2] = 0
    with torch.no_grad():
        changed = forecast(network, episode._replace(inputs=Given(frames, episode.inputs.seen)))
    assert not torch.equal(one[3:], changed[3:])


def test_scheduled_sampling_ends_with_predictions_alone() -> None:
    config = Config(task="next", network="convlstm", sampling=0.5)
    source = SYSTEM.load(run_of("next-convlstm"), torch.device("cpu"))
    seen = [
        SYSTEM.episode(source.batch(0, 64), config, torch.Generator().manual_seed(0), progress=progress).inputs.seen
        for progress in (0.0, 0.25, 0.5, 1.0)
    ]
    shown = [each[4:].mean().item() for each in seen]
    assert shown[0] == 1 and 0.3 < shown[1] < 0.7 and shown[2:] == [0, 0]


def test_the_squared_error_of_a_frame_is_a_sum_over_its_pixels(networks: dict[str, AnyTrained]) -> None:
    network = networks["next-objects"]
    batch = network.held_out(network.source(), "test", 0, 2)
    episode = SYSTEM.episode(batch, network.config, torch.Generator())
    with torch.no_grad():
        outputs: Any = unrolled(network.core, episode)
    found = SYSTEM.metrics(outputs, episode, network.config)["squared_error"]
    truth = batch.frames[:, 4:].double().numpy() / 255
    expected = np.square(outputs.frame[4:].double().numpy().swapaxes(0, 1) - truth).sum((2, 3, 4))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4)


def test_frames_become_inputs() -> None:
    pictures = torch.full((2, 3, 1, 4, 5), 255, dtype=torch.uint8)
    assert network_frames(pictures).shape == (3, 2, 1, 4, 5) and network_frames(pictures).max() == 1
    assert network_frames(torch.zeros(2, 3, 20, 3)).shape == (3, 2, 20, 1, 3)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"kernel": 4}, "odd kernel"),
        ({"core": "average", "direction": "both"}, "no recurrence"),
        ({"core": "average", "pooling": "last"}, "no average"),
    ],
)
def test_settings_that_contradict_one_another_are_refused(settings: dict[str, Any], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        Config(**settings)
