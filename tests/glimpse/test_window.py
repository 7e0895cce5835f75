"""RAM through Gaussian windows: the gradient reaches the location, whatever the precision of the products."""

import pytest
import torch

from saccade.glimpse import system
from saccade.pipeline.contract import Batch, Shape
from saccade.recurrent.unroll import Unrolled


@pytest.mark.parametrize("bf16", [False, True])
def test_the_loss_teaches_the_policy_without_reinforce(bf16: bool) -> None:
    config = system.Config(glimpses=3, hidden=32, features=16, attention="gaussian", policy_gain=1.0)
    model = system.build(config, Shape(1, 28, 28, 10))
    generator = torch.Generator().manual_seed(0)
    batch = Batch(torch.rand(8, 1, 28, 28, generator=generator), torch.arange(8))
    episode = system.episode(batch, config, generator)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = system.loss(Unrolled(model)(episode.inputs, episode.context), episode, config)
    loss.total.backward()
    assert "reinforce" not in loss.terms
    assert model.policy.weight.grad is not None
    assert model.policy.weight.grad.isfinite().all()
    assert model.policy.weight.grad.norm() > 0
