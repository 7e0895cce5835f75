"""The fused forward pass over all steps gives what stepping gives: outputs, the last state, and every gradient."""

from typing import Any

import pytest
import torch
from torch import Tensor

from saccade.draw.config import Config
from saccade.draw.loss import bound
from saccade.draw.model import Context, Draw
from saccade.draw.system import SYSTEM
from saccade.images.config import Shape
from saccade.recurrent.tree import named_tensors
from saccade.recurrent.unroll import unroll
from tests.images.cases import facts_of

GREY, COLOUR = Shape(1, 9, 9, 10), Shape(3, 8, 11, 10)
CASES: dict[str, tuple[Shape, dict[str, Any]]] = {
    "grey": (GREY, {}),
    "colour, not square": (COLOUR, {}),
    "labelled": (GREY, {"labelled": True}),
    "one filter": (GREY, {"read": 1, "write": 1}),
    "one step": (GREY, {"steps": 1}),
    "grey levels": (COLOUR, {"likelihood": "logistic", "labelled": True}),
}


def made(name: str, dtype: torch.dtype, shift: float = 0.05) -> tuple[Config, Draw, Tensor, Context]:
    shape, settings = CASES[name]
    config = Config(**{"steps": 5, "hidden": 12, "latent": 4, "read": 3, "write": 4, **settings})
    torch.manual_seed(0)
    core = SYSTEM.build(config, facts_of(shape)).to(dtype)
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(shift * torch.randn_like(parameter))
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(3, *shape[:3], generator=generator, dtype=dtype)
    noise = torch.randn(config.steps, 3, config.latent, generator=generator, dtype=dtype)
    return config, core, noise, Context(images, torch.tensor([4, -1, 0]))


def found(config: Config, core: Draw, noise: Tensor, context: Context, *, stepped: bool) -> dict[str, Tensor]:
    """Outputs, last state and gradients of a loss that feels every one of them."""
    core.zero_grad()
    on_state = (lambda state: None) if stepped else None
    outputs, state = unroll(core, noise, core.initial_state(3), context, on_state=on_state)
    kept = {f"outputs.{k}": v for k, v in named_tensors(outputs).items()}
    kept |= {f"state.{k}": v for k, v in named_tensors(state).items()}
    felt = sum(v.square().mean() for v in kept.values()) + outputs.mu.sin().sum() + outputs.canvas[0].sum()
    (bound(outputs, context.images, config).total + felt).backward()
    kept |= {f"gradient.{k}": p.grad for k, p in core.named_parameters() if p.grad is not None}
    return {name: tensor.detach().clone() for name, tensor in kept.items()}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
def test_it_gives_what_stepping_gives(name: str, dtype: torch.dtype, tolerance: float) -> None:
    config, core, noise, context = made(name, dtype)
    at_once = found(config, core, noise, context, stepped=False)
    stepped = found(config, core, noise, context, stepped=True)
    assert at_once.keys() == stepped.keys()
    assert sum(key.startswith("gradient") for key in at_once) == sum(p.requires_grad for p in core.parameters())
    for key, tensor in stepped.items():
        scale = max(1.0, tensor.abs().max().item())
        torch.testing.assert_close(at_once[key], tensor, atol=tolerance * scale, rtol=tolerance, msg=key)


@pytest.mark.parametrize("entry", range(5))
@pytest.mark.parametrize("sign", [-1, 1])
def test_they_agree_at_the_bounds_of_a_window_and_beyond(entry: int, sign: int) -> None:
    config, core, noise, context = made("grey", torch.float64, shift=0.01)
    for name in ("read", "generator.write"):
        with torch.no_grad():
            core.get_parameter(f"{name}.attention.linear.bias")[entry] = sign * 7.999
    for _ in range(2):
        at_once = found(config, core, noise, context, stepped=False)
        for key, tensor in found(config, core, noise, context, stepped=True).items():
            scale = max(1.0, tensor.abs().max().item())
            torch.testing.assert_close(at_once[key], tensor, atol=1e-8 * scale, rtol=1e-8, msg=key)
        for name in ("read", "generator.write"):  # then far beyond, where no gradient may pass
            with torch.no_grad():
                core.get_parameter(f"{name}.attention.linear.bias")[entry] = sign * 1e6


def test_under_autocast_it_stays_close_to_full_precision() -> None:
    config, core, noise, context = made("labelled", torch.float32)
    exact = found(config, core, noise, context, stepped=False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = found(config, core, noise, context, stepped=False)
    assert all(rounded[key].dtype == tensor.dtype for key, tensor in exact.items())
    for key in (
        "outputs.canvas",
        "outputs.mu",
        "gradient.encoder.core.cell.weight_hh",
        "gradient.read.attention.linear.weight",
    ):
        error = (rounded[key] - exact[key]).norm() / exact[key].norm()
        assert 0 < error < 0.05, key


@pytest.mark.parametrize("settings", [{"core": "gru"}, {"layers": 2}, {"attention": False}])
def test_other_models_are_stepped(settings: dict[str, Any]) -> None:
    config = Config(steps=2, hidden=8, latent=3, read=2, write=3, **settings)
    core = SYSTEM.build(config, facts_of(GREY))
    context = core.prepare(Context(torch.rand(2, 1, 9, 9), torch.zeros(2, dtype=torch.int64)))
    assert core.fused(torch.randn(2, 2, 3), core.initial_state(2), context) is None


def test_an_image_that_wants_a_gradient_is_stepped() -> None:
    _, core, noise, context = made("grey", torch.float32)
    images = context.images.clone().requires_grad_()
    outputs, _ = unroll(core, noise, core.initial_state(3), context._replace(images=images))
    outputs.mu.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_what_was_differentiated_is_freed() -> None:
    config, core, noise, context = made("grey", torch.float32)
    outputs, _ = unroll(core, noise, core.initial_state(3), context)
    loss = bound(outputs, context.images, config).total
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="a second one; unroll again"):
        loss.backward()
