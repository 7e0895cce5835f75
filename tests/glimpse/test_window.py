"""RAM through Gaussian windows: the gradient reaches the location, whatever the precision of the products."""

import pytest
import torch

from saccade.glimpse.config import Config
from saccade.glimpse.system import SYSTEM
from saccade.images.config import Shape
from saccade.images.source import ImageBatch
from saccade.recurrent.unroll import Unrolled
from tests.images.cases import facts_of


@pytest.mark.parametrize("bf16", [False, True])
def test_the_loss_teaches_the_policy_without_reinforce(bf16: bool) -> None:
    config = Config(glimpses=3, hidden=32, features=16, attention="gaussian", policy_gain=1.0)
    model = SYSTEM.build(config, facts_of(Shape(1, 28, 28, 10)))
    generator = torch.Generator().manual_seed(0)
    batch = ImageBatch(torch.rand(8, 1, 28, 28, generator=generator), torch.arange(8))
    episode = SYSTEM.episode(batch, config, generator)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = SYSTEM.loss(Unrolled(model)(episode.inputs, episode.context), episode, config)
    loss.total.backward()
    assert "reinforce" not in loss.terms
    assert model.policy.weight.grad is not None
    assert model.policy.weight.grad.isfinite().all()
    assert model.policy.weight.grad.norm() > 0
