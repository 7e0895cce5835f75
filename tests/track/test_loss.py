"""The parts of the loss, against values worked out by hand; metrics and report."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from saccade.pipeline.contract import Episode
from saccade.track import loss as objective
from saccade.track.config import Config
from saccade.track.loss import RIGHT, Truth
from saccade.track.model import First, Step
from saccade.track.system import SYSTEM
from saccade.track.window import read_box


def step(box: Tensor, confidence: float = 1.0, count: int = 8) -> Step:
    """Outputs [T, B] with those boxes; the window is the whole frame, and every place is as likely."""
    shape = box.shape[:2]
    place = torch.full((*shape, count, count), -2 * math.log(count))
    whole = torch.tensor([0.0, 0, 1, 1]).expand(*shape, 4)
    sure = torch.full(shape, confidence)
    return Step(
        box, place, sure, torch.zeros(shape), whole, torch.ones(*shape, 2), torch.zeros(*shape, 1, count, count)
    )


def truth(box: Tensor, visible: list[list[bool]] | None = None) -> Truth:
    return Truth(box, torch.ones(box.shape[:2], dtype=torch.bool) if visible is None else torch.tensor(visible))


def test_localisation_is_in_sizes_of_the_true_box() -> None:
    true = torch.tensor([[[0.0, 0.0, 0.2, 0.4]]])
    assert objective.localisation(true, true).item() == 0
    moved = torch.tensor([[[0.02, 0.4, 0.2, 0.4]]])  # a tenth of the half width, and a whole half height
    assert objective.localisation(moved, true).item() == pytest.approx(0.5 * 0.01 / 0.3 + 1 - 0.15)
    grown = torch.tensor([[[0.0, 0.0, 0.2 * math.e, 0.4]]])
    assert objective.localisation(grown, true).item() == pytest.approx(1 - 0.15)


def test_the_response_is_compared_with_the_true_place_in_the_window() -> None:
    outputs = step(torch.zeros(1, 1, 4))
    cells = torch.arange(8) - 3.5
    bump = torch.softmax(-0.5 * ((cells - 2) / objective.TRUE_WIDTH) ** 2, dim=0)
    true = torch.tensor([[[2 * 2 / 8, 2 * -2 / 8, 0.1, 0.1]]])  # 2 filters right, 2 up
    right = (bump.flip(0)[:, None] * bump).log()[None, None]
    best = objective.response(outputs._replace(place=right), true).item()
    assert best == pytest.approx(-2 * (bump * bump.log()).sum().item())
    assert objective.response(outputs, true).item() == pytest.approx(2 * math.log(8))
    assert objective.response(outputs._replace(place=right.transpose(2, 3)), true).item() > best + 1
    assert objective.response(outputs, torch.tensor([[[1.5, 0, 0.1, 0.1]]])).item() == 0, "not in the window"


def test_appearance_compares_pixels_in_the_two_boxes() -> None:
    frames = torch.zeros(1, 1, 1, 32, 32, dtype=torch.uint8)
    frames[..., 16:] = 255
    left, right = torch.tensor([[[-0.5, 0, 0.3, 0.3]]]), torch.tensor([[[0.5, 0, 0.3, 0.3]]])
    assert objective.appearance(left, left, frames).item() == 0
    assert objective.appearance(left, right, frames).item() == pytest.approx(1, abs=1e-3)
    own, other = (read_box(frames[0], box[0], objective.INSIDE) for box in (left + 0.1, right))
    assert objective.appearance(left + 0.1, right, frames).item() == pytest.approx((own - other).square().mean().item())


def test_hidden_frames_teach_the_confidence_alone() -> None:
    true = torch.tensor([[[0.0, 0, 0.2, 0.2]], [[0.5, 0, 0.2, 0.2]]])
    boxes = true.clone().requires_grad_()
    frames = torch.randint(256, (2, 1, 1, 32, 32), dtype=torch.uint8)
    moved = boxes + torch.tensor([0.05, 0, 0, 0])
    found = objective.loss(step(moved, 2.0), frames, truth(true, [[True], [False]]), Config())
    found.total.backward()
    assert boxes.grad is not None
    assert boxes.grad[0].abs().sum() > 0 and boxes.grad[1].abs().sum() == 0
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(2))) / 2
    assert found.terms["confidence"].item() == pytest.approx(expected)
    weighted = sum(getattr(Config(), name) * value.item() for name, value in found.terms.items())
    assert found.total.item() == pytest.approx(weighted, rel=1e-5)


def test_metrics_and_report_leave_hidden_frames_out() -> None:
    true = torch.tensor([0.0, 0, 0.25, 0.25]).expand(2, 2, 4)
    boxes = true.clone()
    boxes[1, 0, 0] = 0.25  # overlap 1/3, 8 pixels of 64 away
    boxes[1, 1, 0] = 1.0
    frames = torch.zeros(2, 2, 1, 64, 64, dtype=torch.uint8)
    targets = truth(true, [[True, True], [True, False]])
    episode: Any = Episode(frames, First(frames[0], true[0]), step_targets=targets)
    found = SYSTEM.metrics(step(boxes), episode, Config())
    assert found["overlap"].tolist() == pytest.approx([1 + 1 / 3, 1]) and found["visible"].tolist() == [2, 1]
    assert found["wrong"].tolist() == [1, 1], f"sure of an overlap below {RIGHT}, and of a hidden target"
    report = SYSTEM.report({"main": found}, Config())
    assert report["iou_percent"] == pytest.approx(100 * (1 + 1 / 3 + 1) / 3)
    assert report["precision_percent"] == pytest.approx(200 / 3)
    assert report["lost_error_percent"] == 50 and report["lost_frames_percent"] == 50
    assert report["success_by_threshold"][0] == 1 and report["success_by_threshold"][10] == pytest.approx(2 / 3)
    health = SYSTEM.health(step(boxes), episode, Config())
    assert health["overlap"] == pytest.approx((1 + 1 / 3 + 1) / 3)
    assert SYSTEM.warnings({"overlap": 0.1}, Config()) and not SYSTEM.warnings(health, Config())
