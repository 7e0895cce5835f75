"""The contract: every system has all of it, its own or by default."""

import pytest
import torch

from saccade.baseline.config import Config as BaselineConfig
from saccade.draw.config import Config as DrawConfig
from saccade.errors import InputError
from saccade.pipeline.config import DataConfig
from saccade.pipeline.contract import EXAMPLES_AT_ONCE, SYSTEMS, Batch, Shape, System, load

WANTED = [name for name in vars(System) if not name.startswith("_")]


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_keeps_the_whole_contract(name: str) -> None:
    assert {"episode", "loss", "tile", "prime", "examples_at_once", "data_for"} <= set(WANTED)
    system = load(name)
    assert all(callable(getattr(system, wanted)) for wanted in [*WANTED, "Config"])


def test_what_a_system_leaves_out_has_a_default() -> None:
    plain = load("baseline")
    assert plain.tile is plain.picture
    assert plain.examples_at_once(BaselineConfig()) == EXAMPLES_AT_ONCE
    core = plain.build(BaselineConfig(), Shape(1, 8, 8, 3))
    before = {name: tensor.clone() for name, tensor in core.state_dict().items()}
    plain.prime(core, Batch(torch.ones(2, 1, 8, 8), torch.zeros(2, dtype=torch.int64)))
    assert all(torch.equal(tensor, before[name]) for name, tensor in core.state_dict().items())
    assert plain.data_for(BaselineConfig(), DataConfig(binarise="auto")) == DataConfig(binarise="none")
    assert plain.data_for(BaselineConfig(), DataConfig(binarise="fixed")) == DataConfig(binarise="fixed")


def test_what_a_system_says_itself_goes_before_the_default() -> None:
    own = load("draw")
    assert own.tile is not own.picture
    assert own.examples_at_once(DrawConfig(samples=50)) == 10


@pytest.mark.parametrize(("likelihood", "binarise"), [("bernoulli", "fixed"), ("logistic", "none")])
def test_drawing_takes_the_images_that_its_likelihood_is_of(likelihood: str, binarise: str) -> None:
    config = DrawConfig(likelihood=likelihood)  # type: ignore[arg-type]
    assert load("draw").data_for(config, DataConfig(binarise="auto")).binarise == binarise
    assert load("draw").data_for(config, DataConfig(binarise="dynamic")).binarise == "dynamic"


def test_an_unknown_system_is_refused() -> None:
    with pytest.raises(InputError, match="a system: glimpse, draw, baseline, found 'glance'"):
        load("glance")
