"""Canvases with several digits: layouts, scaling, frozen sets, batches."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import Tensor

from saccade.dram.canvases import INK, Layout, largest_side, paint, random_count, random_layout, scaled_to
from saccade.dram.config import SequenceData
from saccade.dram.source import load_canvases
from saccade.errors import InputError
from saccade.images.digits import load_digits
from tests.dram.cases import canvases

LAYOUTS = {
    "row": SequenceData(dataset="digits:1-5", canvas=100),
    "row, small": SequenceData(dataset="digits:2-4", canvas=48, smallest=12),
    "anywhere": SequenceData(dataset="digits:1-4", canvas=100, layout="anywhere", smallest=16),
    "pairs": SequenceData(dataset="pairs", canvas=100, layout="anywhere", smallest=28),
}

FROZEN = {
    "digits:1-3": "fb176b2b949b4880",
    "pairs": "f01a76a12e68454d",
    "addition": "663b5b393a833ee3",
}


def digest(source: str, **settings: object) -> str:
    batch = canvases(dataset=source, **settings).held_out("test")
    total = hashlib.sha256()
    for leaf in (batch.images, batch.targets, batch.number):
        total.update(leaf.numpy().tobytes())
    return total.hexdigest()[:16]


def laid_out(data: SequenceData, size: int) -> tuple[Tensor, Layout]:
    """Return random digits of the pool, and their layout."""
    most, pool = data.digits[1], load_digits()[0].pixels[:, 0]
    digits = pool[torch.randint(len(pool), (size, most), generator=torch.Generator().manual_seed(2))]
    return digits, random_layout(digits, random_count(data, size, 1, "test", 0), data, 1, "test", 0)


@pytest.mark.parametrize("data", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_digits_lie_on_the_canvas_apart_and_in_reading_order(data: SequenceData) -> None:
    digits, found = laid_out(data, 400)
    fewest, most = data.digits
    assert set(found.number.tolist()) == set(range(fewest, most + 1))
    present = found.present()
    assert (found.side[present] >= data.smallest).all() and (found.side[present] <= data.largest).all()
    middle = found.middles(data.canvas)
    assert middle[~present].isnan().all() and not middle[present].isnan().any()
    for i in range(most - 1):
        both = present[:, i + 1]
        assert (middle[both, i, 0] <= middle[both, i + 1, 0]).all(), "left to right"
    whole = paint(digits, found, data.canvas).int()
    scaled = scaled_to(digits.flatten(0, 1), found.side.flatten()).view(400, most, 28, 28)
    ink = (scaled * present[:, :, None, None]).sum((1, 2, 3))
    assert (whole.sum((1, 2, 3)) >= 0.99 * ink).all(), "all ink is on the canvas, and nothing is clipped by overlap"
    if data.layout == "anywhere":
        pixels = middle * data.canvas / 2
        for i in range(most):
            for j in range(i):
                apart = (pixels[present[:, i], i] - pixels[present[:, i], j]).abs().amax(1)
                assert (apart >= INK * data.smallest - 2).all(), (i, j)


def test_layouts_vary_in_place_size_slope_and_gap() -> None:
    _, found = laid_out(LAYOUTS["row"], 500)
    two = found.number >= 2
    assert len(found.side.unique()) >= 8 and found.left[:, 0].float().std() > 15 and found.top[:, 0].float().std() > 15
    rise = (found.top[:, 1] - found.top[:, 0])[two]
    assert rise.min() < -2 and rise.max() > 2
    assert (found.left[:, 1] - found.left[:, 0])[two].float().std() > 2


def test_digits_that_distortion_made_wider_still_fit() -> None:
    data = LAYOUTS["row"]
    wide = torch.full((50, 5, 28, 28), 255, dtype=torch.uint8)
    found = random_layout(wide, torch.full((50,), 5), data, 1, "test", 0)
    assert (found.left >= 0).all() and (found.left + found.side <= data.canvas).all()
    assert (found.left[:, 1:] > found.left[:, :-1] + found.side[:, :-1]).all()


def test_scaling_is_exact_at_full_size_keeps_ink_and_its_middle() -> None:
    digits = load_digits()[0].pixels[:50, 0]
    torch.testing.assert_close(scaled_to(digits, torch.full((50,), 28)), digits)
    for side in (12, 19, 24):
        small = scaled_to(digits, torch.full((50,), side))
        assert not small[:, side:].any() and not small[:, :, side:].any()
        ink, before = small.double().sum((1, 2)), digits.double().sum((1, 2))
        torch.testing.assert_close(ink / before, torch.full_like(ink, (side / 28) ** 2), rtol=0.02, atol=0)


def test_overlapping_digits_are_added_and_clipped() -> None:
    both = torch.tensor([[28, 28]])
    layout = Layout(torch.tensor([2]), both, torch.tensor([[3, 3]]), torch.tensor([[5, 5]]))
    field = paint(torch.full((1, 2, 28, 28), 200, dtype=torch.uint8), layout, 40)
    assert field.shape == (1, 1, 40, 40) and field[0, 0, 3:31, 5:33].min() == 255 and field.sum() == 255 * 28 * 28


def test_a_batch_shows_its_digits_where_it_says() -> None:
    source = canvases(dataset="digits:1-3", smallest=28, canvas=90, layout="anywhere")
    batch, (train, _) = source.batch(2, 20), load_digits()
    for image, target, number, places in zip(*batch, strict=True):
        assert int(target[number]) == 10 and (target[number + 1 :] == -1).all()
        for label, place in zip(target[:number].tolist(), places[:number], strict=True):
            left, top = ((place + 1) * 45 - 14).round().long().tolist()
            box = image[0, top : top + 28, left : left + 28].int()
            alike = (train.pixels[train.labels == label, 0].int() - box).clamp(min=0).flatten(1).amax(1)
            assert alike.min() == 0, "its digit is one of the pool's with that label"


def test_every_training_digit_comes_once_an_epoch_and_test_digits_never() -> None:
    source = canvases(dataset="digits:1-1", smallest=28, canvas=28)
    size = 127
    seen = torch.cat([source.batch(step, size).images.flatten(1) for step in range(source.examples // size)])
    assert len(seen.unique(dim=0)) == len(load_digits()[0].pixels[: len(seen)].flatten(1).unique(dim=0))
    held = source.held_out("test").images.flatten(1)
    assert not (held[:, None] == seen[None, :300]).all(2).any()


def test_the_sum_of_two_digits_is_one_answer_without_a_place() -> None:
    batch = canvases(dataset="addition", canvas=60).batch(0, 50)
    pair = canvases(dataset="pairs", canvas=60).batch(0, 50)
    assert torch.equal(batch.images, pair.images)
    assert torch.equal(batch.targets[:, 0], pair.targets[:, :2].sum(1)) and (batch.targets[:, 1] == 19).all()
    assert batch.places.isnan().all() and (batch.number == 1).all()


def test_pieces_and_distortion_change_the_canvas_and_not_the_truth() -> None:
    plain = canvases(dataset="pairs", canvas=60).batch(0, 20)
    for settings in ({"pieces": 5}, {"distort": 0.5}):
        other = canvases(dataset="pairs", canvas=60, **settings).batch(0, 20)
        assert torch.equal(other.targets, plain.targets) and not torch.equal(other.images, plain.images)
        held, before = (canvases(dataset="pairs", canvas=60, **s).held_out("test") for s in (settings, {}))
        assert torch.equal(held.images, before.images) == ("distort" in settings), "held-out digits are not distorted"


@pytest.mark.parametrize(("dataset", "expected"), FROZEN.items())
def test_frozen_sets_never_change(dataset: str, expected: str) -> None:
    assert digest(dataset) == expected


def test_frozen_mnist_never_changes(mnist: Path) -> None:
    assert digest("digits:1-5", canvas=100, pool="mnist", data_dir=str(mnist)) == "add92bc189e009bb"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "digits:1-9", "canvas": 64}, "room for 9 digits of 20 pixels, layout row"),
        ({"dataset": "digits:9-9", "canvas": 64, "layout": "anywhere"}, "layout anywhere"),
        ({"validation": 5000}, "0 to 1396 validation digits"),
        ({"pieces": 1, "canvas": 28, "piece_size": 28, "dataset": "digits:5-5"}, "raise --canvas"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_canvases(SequenceData(**settings), 0, torch.device("cpu"))  # type: ignore[arg-type]


@pytest.mark.parametrize("dataset", ["digits:0-3", "digits:4-3", "digits:1-10", "digit", "folder:", "mnist"])
def test_unknown_datasets_are_refused(dataset: str) -> None:
    with pytest.raises(ValueError, match="digits:FROM-TO"):
        SequenceData(dataset=dataset)


def test_without_validation_digits_there_is_no_validation_set() -> None:
    with pytest.raises(InputError, match="train with --validation"):
        canvases().held_out("validation")
    found: Tensor = canvases(validation=100).held_out("validation").images
    assert len(found) == 60


def test_more_digits_are_smaller() -> None:
    sides = [largest_side(n, LAYOUTS["row"]) for n in range(1, 6)]
    assert sides == sorted(sides, reverse=True) and sides[0] == 28 and 20 <= sides[-1] < 28
