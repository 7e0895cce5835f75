"""The texts that a network reads: stops, edit distances, metrics."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from saccade.dram.answers import answers, edit_distance, multiset_distance
from saccade.dram.measures import measured
from saccade.dram.system import SYSTEM
from saccade.dram.trace import Reading
from tests.dram.cases import batch_of, config, episode_of, network, unrolled


def reading(symbols: list[list[int]], *, halts: list[int] | None = None) -> Reading:
    """A reading with one glimpse an object: symbols by example, 5 the end symbol."""
    chosen = torch.tensor(symbols).t()  # [T, B]
    logits = torch.nn.functional.one_hot(chosen, 6).float() * 9
    settings = config(rollouts=1)
    with torch.no_grad():
        found = unrolled(network(settings), episode_of(settings, batch_of(chosen.shape[1])))
    steps = len(chosen)
    ends = chosen == 5 if halts is None else torch.zeros_like(chosen, dtype=torch.bool)
    stops = ends if halts is None else torch.arange(steps)[:, None] == torch.tensor(halts)
    cut = Reading(*(leaf[:steps] for leaf in found))
    return cut._replace(logits=logits, stops=stops, ends=ends, answers=torch.ones_like(stops))


def test_a_text_ends_with_its_first_end_symbol() -> None:
    found = answers(reading([[3, 5, 2, 5], [5, 1, 1, 1], [1, 2, 3, 4]]), 1)
    assert found.symbols.tolist() == [[3, -1, -1, -1], [-1] * 4, [1, 2, 3, 4]]
    assert found.number.tolist() == [1, 0, 4] and found.spent.tolist() == [2, 1, 4]


def test_a_halt_ends_a_text_after_its_symbol() -> None:
    found = answers(reading([[3, 2, 2, 1], [4, 1, 1, 1]], halts=[1, 9]), 1)
    assert found.symbols.tolist() == [[3, 2, -1, -1], [4, 1, 1, 1]]
    assert found.number.tolist() == [2, 4] and found.spent.tolist() == [2, 4]


def slow_distance(one: str, other: str) -> int:
    if not one or not other:
        return len(one) + len(other)
    replaced = slow_distance(one[1:], other[1:]) + (one[0] != other[0])
    return min(replaced, slow_distance(one[1:], other) + 1, slow_distance(one, other[1:]) + 1)


TEXTS = st.lists(st.tuples(st.text("abc", max_size=4), st.text("abc", max_size=5)), min_size=1, max_size=4)


def padded(texts: list[str], size: int) -> torch.Tensor:
    return torch.tensor([["abc".index(symbol) for symbol in text] + [-1] * (size - len(text)) for text in texts])


@given(TEXTS)
def test_edit_distances_equal_the_definition(pairs: list[tuple[str, str]]) -> None:
    one, other = padded([a for a, _ in pairs], 4), padded([b for _, b in pairs], 5)
    assert edit_distance(one, other).tolist() == [slow_distance(a, b) for a, b in pairs]


@given(TEXTS)
def test_without_order_the_distance_is_the_least_over_all_orders(pairs: list[tuple[str, str]]) -> None:
    import itertools

    one, other = padded([a for a, _ in pairs], 4), padded([b for _, b in pairs], 5)
    wanted = [min(slow_distance("".join(order), b) for order in itertools.permutations(a)) for a, b in pairs[:1]]
    assert multiset_distance(one, other, 3).tolist()[:1] == wanted


def test_metrics_know_early_and_late_stops_and_where_the_gaze_should_have_been() -> None:
    settings = config(glimpses=1, rollouts=1)
    batch = batch_of(3)  # texts of 1, 2 and 3 symbols
    texts = batch.targets.clone()
    texts[1, :] = torch.tensor([5, 0, 0, 0])  # stops at once
    texts[0, 1] = 2  # reads one too many,
    texts[0, 2] = 5
    outputs = reading(texts.clamp(min=0).tolist())
    episode = episode_of(settings, batch)
    found = measured(outputs, episode.inputs, *episode.targets, settings)
    assert found["distance"].tolist() == [1, 2, 0]
    assert found["read"].tolist() == [2, 0, 3] and found["count"].tolist() == [1, 2, 3]
    report = SYSTEM.report({"mean_policy": found}, settings)
    assert report["stops_percent"] == {"early": pytest.approx(33.33, abs=0.01), "late": pytest.approx(33.33, abs=0.01)}
    assert report["symbol_error_percent"] == pytest.approx(50) and report["edit_distance"] == 1
    assert report["error_percent_by_count"] == {"1": 100.0, "2": 100.0, "3": 0.0}
    miss = found["miss"]
    assert miss.isnan().sum(1).tolist() == [3, 2, 1], "a glimpse about no symbol misses none"
    gaze, digit = outputs.location[0, 2], batch.places[2, 0]
    torch.testing.assert_close(miss[2, 0], ((gaze - digit) * 12).norm())  # 24 pixels span 2 units
    settings = replace(settings, order="any")
    assert measured(outputs, episode.inputs, *episode.targets, settings)["distance"].tolist() == [1, 2, 0]


def test_replays_show_another_pictures_gaze_and_the_symbols_middles() -> None:
    settings, batch = config(rollouts=1), batch_of(3)
    core, episode = network(settings), episode_of(settings, batch)
    with torch.no_grad():
        outputs = unrolled(core, episode)
        replays = SYSTEM.replays(outputs, episode, settings)
        oracle = unrolled(core, replays["oracle"])
        other = unrolled(core, replays["another_picture"])
    torch.testing.assert_close(other.location, outputs.location.roll(1, dims=1))
    torch.testing.assert_close(oracle.location[2:4, 1], batch.places[1, 1].expand(2, 2))
    assert not oracle.chosen[:4, 1].any() and oracle.chosen[4:, 1].all()
