"""The tracker against a transcription of its equations, its gradients, and its limits."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from saccade.recurrent.tree import map_tensors, named_tensors, take
from saccade.recurrent.unroll import unroll
from saccade.track.appearance import Features, learn, match, respond
from saccade.track.config import Config
from saccade.track.model import First, Step, Tracker
from saccade.track.ratm import RATM
from saccade.track.spectra import Average, power_of, transform
from saccade.track.window import Grid, overlap, read, read_box, stride_around
from tests.track import transcription

SMALL = Config(window=12, features=4, hidden=6)


def tracker(config: Config = SMALL, *, strong: bool = True) -> Tracker:
    """A tracker whose every weight matters, in float64."""
    torch.manual_seed(0)
    core = Tracker(config).double()
    if strong:
        with torch.no_grad():
            core.steer.weight.mul_(20)
            core.merge.weight.mul_(10)
    return core


def videos(steps: int = 5, examples: int = 3, channels: int = 3, height: int = 30, width: int = 40) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(steps * examples, channels, 6, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return (255 * smooth).to(torch.uint8).view(steps, examples, channels, height, width)


def boxes(examples: int = 3) -> Tensor:
    return torch.tensor([[0.1, -0.2, 0.3, 0.25], [-0.4, 0.3, 0.15, 0.4], [0.8, 0.7, 0.3, 0.3]]).double()[:examples]


def followed(core: Any, frames: Tensor, first: Tensor) -> Step:
    context: Any = First(frames[0], first)
    return unroll(core, frames[1:], core.initial_state(frames.shape[1]), context)[0]


@pytest.mark.parametrize("channels", [1, 3])
def test_every_output_of_every_step_equals_the_transcription(channels: int) -> None:
    core, frames = tracker(), videos(channels=channels)
    steps = followed(core, frames, boxes())
    for example in range(3):
        expected = transcription.track(core, frames[:, example].numpy(), boxes()[example].numpy())
        for t, values in enumerate(expected):
            for name, value in values.items():
                found = getattr(steps, name)[t, example].detach().numpy()
                np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6, err_msg=f"{name} at step {t}")


def test_the_window_reads_what_two_filterbanks_read() -> None:
    frame = videos(1, 1)[0]
    centre, stride, sigma = torch.tensor([[0.3, -0.9]]), torch.tensor([[1.5, 3.0]]), torch.tensor([[0.7, 2.0]])
    found = read(frame, Grid(centre.double(), stride.double(), sigma.double()), 5)[0].numpy()
    expected = transcription.read(frame[0].numpy(), centre[0].numpy(), stride[0].numpy(), sigma[0].numpy(), 5)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_a_window_around_a_square_box_is_as_many_times_larger_as_it_reaches() -> None:
    extent, size = torch.tensor([[0.2, 0.4]]), torch.tensor([80.0, 40.0])  # 16 x 16 pixels
    assert stride_around(extent, size, 3.0, 12).tolist() == [[4.0, 4.0]]
    slender = stride_around(torch.tensor([[0.1, 0.5]]), size, 3.0, 12)[0]  # 8 x 20 pixels, mean 14
    assert slender.tolist() == pytest.approx([(8 + 28) / 12, (20 + 28) / 12])


def test_a_filter_answers_with_its_label_where_it_was_learned_and_moves_with_the_features() -> None:
    torch.manual_seed(0)
    features = Features(16, 6).double()
    with torch.no_grad():
        seen = features(torch.rand(2, 3, 16, 16, dtype=torch.float64))
    peak = torch.tensor([[7.5, 7.5], [9.0, 6.0]], dtype=torch.float64)
    ridge = torch.tensor(1e-9, dtype=torch.float64)
    numerator, power = learn(seen, peak)
    answer = respond(match(seen, numerator), power[:, None], ridge)[:, 0]
    wanted = torch.fft.ifft2(torch.tensor(np.stack([transcription.label(p.numpy(), 16) for p in peak])) * 16).real
    torch.testing.assert_close(answer, wanted, atol=1e-6, rtol=1e-6)
    rolled = torch.fft.rfft2(torch.fft.irfft2(seen, s=(16, 16)).roll((2, -3), (2, 3)))
    moved = respond(match(rolled, numerator), power[:, None], ridge)[:, 0]
    torch.testing.assert_close(moved, wanted.roll((2, -3), (1, 2)), atol=1e-6, rtol=1e-6)


def test_derivatives_that_are_written_by_hand_are_right() -> None:
    generator = torch.Generator().manual_seed(2)

    def draw(*shape: int, kind: torch.dtype = torch.complex128) -> Tensor:
        return torch.randn(*shape, dtype=kind, generator=generator).requires_grad_()

    spectra = [draw(2, 3, 4, 3) for _ in range(3)]
    assert torch.autograd.gradcheck(match, spectra)
    assert torch.autograd.gradcheck(power_of, spectra[:1])
    assert torch.autograd.gradcheck(Average.apply, (*spectra[:2], draw(2, 1, 1, kind=torch.float64), draw(2, 4, 3)))
    for count in (4, 5):
        assert torch.autograd.gradcheck(transform, draw(2, 3, count, count, kind=torch.float64))


@pytest.mark.parametrize("core", [tracker(), RATM(SMALL).double()], ids=["appearance", "ratm"])
def test_gradients_reach_every_weight_and_are_right(core: Any) -> None:
    frames, first = videos(3, 2), boxes(2)
    weights = dict(core.named_parameters())

    def value() -> Tensor:
        steps = followed(core, frames, first)
        return (steps.box.square() * torch.arange(1.0, 5)).sum() + (steps.confidence + steps.sigma.sum(-1)).sum()

    value().backward()
    generator = torch.Generator().manual_seed(3)
    for name, weight in weights.items():
        assert weight.grad is not None, name
        if name not in ("core.cell.weight_hh",):
            assert weight.grad.abs().sum() > 0, name
        at = int(torch.randint(weight.numel(), (1,), generator=generator))
        flat, felt, step = weight.data.view(-1), weight.grad.view(-1)[at].item(), 1e-6
        before, found = flat[at].item(), []
        for side in (1, -1):
            flat[at] = before + side * step
            found.append(value().item())
        flat[at] = before
        assert felt == pytest.approx((found[0] - found[1]) / (2 * step), rel=2e-3, abs=1e-6), name


def test_an_example_gives_in_a_batch_what_it_gives_alone_and_frame_by_frame() -> None:
    core, frames, first = tracker(), videos(), boxes()
    together = followed(core, frames, first)
    for example in range(3):
        alone = followed(core, frames[:, example : example + 1], first[example : example + 1])
        for name, leaf in named_tensors(alone).items():
            torch.testing.assert_close(leaf[:, 0], getattr(together, name)[:, example])
    state, target = core.initial_state(3), core.prepare(First(frames[0], first))
    for t in range(1, len(frames)):
        step, state = unroll(core, frames[t : t + 1], state, target)
        assert torch.equal(step.box[0], together.box[t - 1])


@pytest.mark.parametrize(
    "box", [[5.0, -7.0, 0.2, 0.2], [0.0, 0.0, 0.01, 0.01], [0.0, 0.0, 3.0, 3.0], [1.0, 1.0, 1e-4, 2.0]]
)
def test_odd_boxes_and_a_blank_video_give_finite_answers(box: list[float]) -> None:
    for frames in (videos(3, 1), torch.zeros(3, 1, 1, 20, 20, dtype=torch.uint8)):
        core = tracker()
        steps = followed(core, frames, torch.tensor([box]).double())
        assert all(leaf.isfinite().all() for leaf in named_tensors(steps).values())
        steps.box.sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in core.parameters())


def test_it_stays_on_a_thing_that_stands_still_and_follows_one_that_moves() -> None:
    """Even an untrained tracker does: its filter is learned in closed form."""
    torch.manual_seed(0)
    core = Tracker(Config()).eval()
    thing = videos(1, 1, 3, 12, 12)[0, 0]
    frames = torch.zeros(6, 1, 3, 64, 64, dtype=torch.uint8)
    for t in range(6):
        frames[t, 0, :, 20 + 2 * t : 32 + 2 * t, 30 - 3 * t : 42 - 3 * t] = thing
    first = torch.tensor([[(2 * 36) / 64 - 1, (2 * 26) / 64 - 1, 12 / 64, 12 / 64]])
    with torch.no_grad():
        steps = followed(core, frames, first)
    truth = first + torch.arange(1, 6)[:, None] * torch.tensor([-6.0, 4, 0, 0]) / 64
    assert overlap(steps.box[:, 0], truth).min() > 0.6
    still = followed(core, frames[:1].expand(4, -1, -1, -1, -1), first)
    assert overlap(still.box[:, 0], first).min() > 0.8


def test_a_box_is_read_by_filters_that_fill_it() -> None:
    frame = torch.zeros(1, 1, 40, 40, dtype=torch.uint8)
    frame[:, :, 10:20, 4:24] = 255
    inside = read_box(frame, torch.tensor([[2 * 14 / 40 - 1, 2 * 15 / 40 - 1, 0.5, 0.25]]), 8)
    assert inside.min() > 0.7 and inside[0, 0, 2:6, 2:6].min() > 0.999
    assert read_box(frame, torch.tensor([[0.7, 0.7, 0.2, 0.2]]), 8).max() == 0


def test_overlap_of_boxes() -> None:
    box = torch.tensor([0.0, 0.0, 0.5, 0.5])
    cases = [(box, 1.0), (torch.tensor([0.5, 0.0, 0.5, 0.5]), 1 / 3), (torch.tensor([2.0, 0, 0.5, 0.5]), 0.0)]
    for other, expected in cases:
        assert overlap(box, other).item() == pytest.approx(expected)
    assert overlap(box * 0, box * 0).item() == 0


def test_ratm_steers_by_what_it_saw_before() -> None:
    """The window on a frame is chosen before the frame is seen, from the state alone."""
    torch.manual_seed(0)
    core, frames, first = RATM(SMALL).double(), videos(4, 2), boxes(2)
    with torch.no_grad():
        steps = followed(core, frames, first)
        changed = frames.clone()
        changed[3] = 255 - changed[3]
        others = followed(core, changed, first)
    assert torch.equal(steps.box, others.box) and not torch.equal(steps.patch[2], others.patch[2])
    changed[1] = 255 - changed[1]
    with torch.no_grad():
        others = followed(core, changed, first)
    assert torch.equal(steps.box[0], others.box[0]) and not torch.equal(steps.box[1], others.box[1])


def test_ratm_equals_its_equations() -> None:
    torch.manual_seed(0)
    config = Config(window=12, features=4, hidden=6, core="rnn")
    core, frames, first = RATM(config).double(), videos(4, 1), boxes(1)
    w = {name: value.detach().numpy() for name, value in core.named_parameters()}
    with torch.no_grad():
        steps = followed(core, frames, first)
    size, count = np.array([40.0, 30.0]), 12

    def see(patch: np.ndarray) -> np.ndarray:
        seen = np.maximum(transcription.convolve(patch - 0.5, w["first.weight"], w["first.bias"])[:, ::2, ::2], 0)
        seen = np.maximum(transcription.convolve(seen, w["second.weight"], w["second.bias"])[:, ::2, ::2], 0)
        return np.maximum(w["features.weight"] @ seen.flatten() + w["features.bias"], 0)

    box, h = first[0].numpy(), np.zeros(6)
    stride = box[2:] * size / count
    patch = transcription.read(frames[0, 0].numpy(), box[:2], stride, 0.5 * stride, count)
    for t in range(3):
        before = w["core.cell.weight_ih"] @ see(patch) + w["core.cell.bias_ih"] + w["core.cell.bias_hh"]
        h = np.maximum(before + w["core.cell.weight_hh"] @ h, 0)
        phi = w["steer.weight"] @ h + w["steer.bias"]
        stride = (size - 1) / (count - 1) * (np.abs(phi[2:4]) + 1e-3)
        sigma = stride * (np.abs(phi[4:6]) + 1e-3)
        patch = transcription.read(frames[t + 1, 0].numpy(), phi[:2], stride, sigma, count)
        np.testing.assert_allclose(steps.patch[t, 0].numpy(), patch, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(steps.box[t, 0].numpy(), [*phi[:2], *(count * stride / size)], rtol=1e-6)
        assert steps.place[t].exp().sum().item() == pytest.approx(1)
    assert math.isfinite(steps.confidence.sum().item())


def test_the_state_can_be_cut() -> None:
    core, frames = tracker(), videos(4, 2)
    _, state = core(frames[1], core.initial_state(2), core.prepare(First(frames[0], boxes(2))))
    assert state.moved.requires_grad and state.numerator.requires_grad
    cut = core.detach(state)
    assert not any(leaf.requires_grad for leaf in named_tensors(cut).values())
    assert take(cut, slice(1)).moved.shape == (1, 2) and map_tensors(torch.isfinite, cut).grown.all()
