"""What the figure of vanishing gradients is made of: measured flows, and how they are brought onto one scale."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch

from saccade.adding.config import Config
from saccade.adding.model import KINDS, Adder
from saccade.cores import flow
from saccade.cores.flow_figure import draw, halving, part
from saccade.pipeline.animate.palette import Colour


def adder(kind: Any, layers: int = 1) -> Adder:
    torch.manual_seed(0)
    return Adder(Config(core=kind, hidden=8, layers=layers))


def on_adding(core: Adder, steps: int, detach_every: int | None = None) -> flow.Norms:
    return flow.on_adding(core, flow.planned("lstm", steps), detach_every)  # the core's kind does not matter to it


@pytest.mark.parametrize("kind", KINDS)
def test_truncation_leaves_exact_zeros_before_the_cut_and_the_same_after_it(kind: str) -> None:
    full, cut = on_adding(adder(kind), 20), on_adding(adder(kind), 20, detach_every=5)
    for field in full:
        assert cut[field][:15] == [0.0] * 15
        assert cut[field][15:] == full[field][15:]
        assert all(norm > 0 for norm in full[field][:-1])


def test_float64_follows_a_vanishing_gradient_far_below_float32s_smallest_number() -> None:
    norms = on_adding(adder("rnn-relu"), 300)["h"]
    assert 0 < norms[0] < 1e-50


def test_every_layer_has_its_state() -> None:
    norms = on_adding(adder("lstm", layers=3), 4)
    assert list(norms) == ["0.h", "0.c", "1.h", "1.c", "2.h", "2.c"]
    assert flow.whole_state(norms, "1.") == [math.hypot(h, c) for h, c in zip(norms["1.h"], norms["1.c"], strict=True)]


def test_measuring_leaves_the_network_as_it_was() -> None:
    core = adder("gru")
    before = {name: parameter.clone() for name, parameter in core.named_parameters()}
    on_adding(core, 5)
    for name, parameter in core.named_parameters():
        assert parameter.dtype == torch.float32
        assert torch.equal(parameter, before[name])
        assert parameter.grad is None


def test_reach_is_the_part_that_arrives_at_the_first_step() -> None:
    assert flow.reach({"h": [0.5, 1.0, 2.0]}) == 0.25
    assert flow.reach({"h": [3.0, 9.0, 5.0], "c": [4.0, 9.0, 0.0]}) == 1.0
    assert flow.reach({"h": [1.0, 0.0]}) == 0.0


def test_parts_are_the_nearest_first_and_nothing_is_no_point_on_a_log_scale() -> None:
    np.testing.assert_array_equal(part([0.0, 0.5, 1.0, 4.0]), [1.0, 0.25, 0.125, np.nan])
    assert np.isnan(part([1.0, 0.0])).all()


def test_halving_is_the_number_of_steps_that_half_is_lost_in() -> None:
    assert halving([2.0**-9, 1.0, 1.0, 1.0]) == pytest.approx(1 / 3)  # 9 halvings in 3 steps
    assert halving([1.0, 1.5, 2.0]) == 2.0
    assert halving([2.0, 1.0]) == math.inf
    assert halving([0.0, 1.0]) == 0.0


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> flow.Measurement:
    """A small measurement without any trained system."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow, "LENGTHS", (4, 12))
        return flow.measure(8, 2, tmp_path_factory.mktemp("none"), lambda text: None)


def test_a_measurement_is_json_and_holds_every_core_fresh_and_trained(found: flow.Measurement) -> None:
    assert json.loads(json.dumps(found, allow_nan=False)).keys() == found.keys()
    assert [(f["core"], f["trained"]) for f in found["adding"]] == [(k, t) for t in (False, True) for k in KINDS]
    assert {len(norms) for f in found["adding"] for norms in f["norms"].values()} == {8}
    assert [f["detach_every"] for f in found["truncation"]] == [None, 4, 1]  # windows of 8 // 5 and 8 // 10 are one
    assert {f["layers"] for f in found["depth"]} == {1, 2, 3}
    assert [entry["lengths"] for entry in found["by_length"]] == [[4, 12]] * 8
    for name, steps in (("glimpse", 6), ("draw", 10)):
        assert [(f["core"], f["trained"]) for f in found["systems"][name]] == [
            (k, False) for k in ("rnn", "lstm", "gru")
        ]
        assert {len(norms) for f in found["systems"][name] for norms in f["norms"].values()} == {steps}


def test_draws_canvas_feels_the_loss_at_every_step(found: flow.Measurement) -> None:
    for entry in found["systems"]["draw"]:
        canvas = entry["norms"]["generator.canvas"]
        assert min(canvas) > 0.5 * max(canvas)


def test_the_figure_has_log_axes_over_the_steps_and_a_line_for_every_core(found: flow.Measurement) -> None:
    panels = draw(found).axes
    assert len(panels) == 9
    assert all(panel.get_yscale() == "log" for panel in panels)
    assert panels[2].get_xscale() == "log"
    assert panels[0].get_title(loc="left") == "Untrained"
    assert panels[1].get_title(loc="left") == "After 2 updates"
    words = {text.get_text() for text in panels[0].texts}
    assert {"RNN tanh", "RNN relu", "LSTM", "GRU"} <= words
    assert len(panels[0].lines) == 5  # of the LSTM, h alone too
    for line in panels[0].lines:
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        assert (x == np.arange(8)).all()
        assert y[0] == 1
    tanh = part(found["adding"][0]["norms"]["h"])
    assert any(np.array_equal(np.asarray(line.get_ydata()), tanh) for line in panels[0].lines)


def test_every_core_has_its_own_colour_and_dashes() -> None:
    from saccade.cores.figures import LOOKS

    seen: set[tuple[Colour, str]] = {(look.colour, str(look.dashes)) for look in LOOKS.values()}
    assert len(seen) == 4  # the RNN of the systems is drawn as the one of the adding problem
    assert len({colour for colour, _ in seen}) == 4
