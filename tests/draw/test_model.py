"""DRAW against its NumPy transcription, at the limits, and its one accumulator: the canvas."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from saccade.draw.config import Config
from saccade.draw.loss import bound
from saccade.draw.model import Context, Draw
from saccade.draw.system import SYSTEM, steps_at
from saccade.errors import InputError
from saccade.images.config import Shape
from saccade.images.source import ImageBatch
from saccade.recurrent.gaussian_window import Window, write_window
from saccade.recurrent.gradient_flow import gradient_flow
from saccade.recurrent.tree import map_tensors, named_tensors
from saccade.recurrent.unroll import unroll
from tests.images.cases import facts_of

sys.path.insert(0, str(Path(__file__).parent))
import transcription

SMALL: dict[str, Any] = {"hidden": 12, "latent": 4, "read": 3, "write": 4}


def model(config: Config, shape: Shape, dtype: torch.dtype = torch.float32) -> Draw:
    """A fresh model whose every parameter is off its initial value, so that none is tested at 0."""
    torch.manual_seed(0)
    core = SYSTEM.build(config, facts_of(shape)).to(dtype)
    with torch.no_grad():
        for parameter in core.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return core


def example(shape: Shape, config: Config, dtype: torch.dtype = torch.float32, count: int = 3) -> tuple[Tensor, Context]:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(count, *shape[:3], generator=generator, dtype=dtype)
    noise = torch.randn(config.steps, count, config.latent, generator=generator, dtype=dtype)
    return noise, Context(images, torch.arange(count) % shape.classes)


@pytest.mark.parametrize("shape", [Shape(1, 9, 9, 10), Shape(3, 8, 11, 10)], ids=["grey", "colour, not square"])
@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
def test_every_step_is_the_papers(shape: Shape, attention: bool, dtype: torch.dtype, tolerance: float) -> None:
    config = Config(steps=5, attention=attention, **SMALL)
    core = model(config, shape, dtype)
    noise, context = example(shape, config, dtype)
    states: list[Any] = []
    outputs, _ = unroll(core, noise, core.initial_state(3), context, on_state=states.append)
    weights = {name: tensor.detach().numpy() for name, tensor in core.state_dict().items()}
    counts = (config.read, config.write) if attention else (None, None)
    expected = transcription.unroll(weights, context.images.numpy(), noise.numpy(), counts)
    found = {
        "canvas": outputs.canvas,
        "mu": outputs.mu,
        "log_sigma": outputs.log_sigma,
        "h_enc": torch.stack([state.encoder.h for state in states]),
        "h_dec": torch.stack([state.generator.decoder.h for state in states]),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].detach().numpy(), values, atol=tolerance, rtol=tolerance, err_msg=name)


def test_the_windows_of_the_trace_are_in_image_coordinates() -> None:
    shape, config = Shape(1, 9, 9, 10), Config(steps=1, **SMALL)
    core = model(config, shape)
    linear = core.generator.get_submodule("write.attention.linear")
    with torch.no_grad():
        linear.get_parameter("weight").zero_()
        linear.get_parameter("bias").copy_(torch.tensor([0.5, -0.25, 0.0, -1.0, 0.7]))
    noise, context = example(shape, config)
    x, y, half_width, half_height, sigma, gamma = (
        unroll(core, noise, core.initial_state(3), context)[0].write[0, 0].tolist()
    )
    stride = 8 / 3 * np.exp(-1)
    assert ((x + 1) * 4.5 - 0.5, (y + 1) * 4.5 - 0.5) == pytest.approx((5 * 1.5 - 1, 5 * 0.75 - 1))  # 0-based pixels
    assert (half_width, half_height) == pytest.approx((4 * stride / 9, 4 * stride / 9))
    assert (sigma, gamma) == pytest.approx((1.0, np.exp(0.7)))


def test_the_gradients_of_writing_are_right() -> None:
    generator = torch.Generator().manual_seed(0)
    patch = torch.rand(2, 3, 4, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    parts = [torch.rand(2, generator=generator, dtype=torch.float64) + low for low in (-0.5, -0.5, 0.5, 0.5)]
    window = [part.requires_grad_() for part in parts]
    for height, width in ((7, 9), (8, 8)):
        write = lambda patch, *w, size=(height, width): write_window(patch, Window(*w), *size)  # noqa: E731
        assert torch.autograd.gradcheck(write, (patch, *window))


@pytest.mark.parametrize("part", ["read", "generator.write"])
def test_the_gradients_of_the_modules_are_right(part: str) -> None:
    shape, config = Shape(1, 7, 7, 10), Config(steps=1, **SMALL)
    module = model(config, shape, torch.float64).get_submodule(part)
    generator = torch.Generator().manual_seed(2)
    made = lambda *size: torch.rand(*size, generator=generator, dtype=torch.float64, requires_grad=True)  # noqa: E731
    h = made(2, config.hidden)
    arguments = (made(2, 1, 7, 7), made(2, 1, 7, 7), h) if part == "read" else (h,)
    assert torch.autograd.gradcheck(lambda *a: module(*a)[0], arguments)


@pytest.mark.parametrize("size", [1e2, 1e6, 1e30])
def test_no_parameters_give_a_number_that_is_none(size: float) -> None:
    shape, config = Shape(1, 9, 9, 10), Config(steps=3, **SMALL)
    core = model(config, shape)
    noise, context = example(shape, config)
    biases = [core.get_parameter(f"{name}.attention.linear.bias") for name in ("read", "generator.write")]
    for sign in (-1, 1):
        for entry in range(5):
            with torch.no_grad():
                for bias in biases:
                    bias[entry] = sign * size
            outputs, _ = unroll(core, noise, core.initial_state(3), context)
            loss = bound(outputs, context.images, config).total
            assert loss.isfinite()
            loss.backward()
            assert all(p.grad.isfinite().all() for p in core.parameters() if p.grad is not None)


@pytest.mark.parametrize("settings", [{"steps": 1}, {"read": 1, "write": 1}, {"read": 9, "write": 9}])
def test_one_step_one_filter_and_a_filter_for_every_pixel(settings: dict[str, int]) -> None:
    shape, config = Shape(1, 9, 9, 10), Config(**{"steps": 3, **SMALL, **settings})  # type: ignore[arg-type]
    core = model(config, shape)
    noise, context = example(shape, config, count=1)
    outputs, _ = unroll(core, noise, core.initial_state(1), context)
    assert all(leaf.isfinite().all() for leaf in named_tensors(outputs).values())


def test_a_window_larger_than_the_image_is_refused() -> None:
    with pytest.raises(InputError, match="a window no larger than the image, 9 x 9 pixels"):
        SYSTEM.build(Config(write=10), facts_of(Shape(1, 9, 9, 10)))


def test_truncation_cuts_memory_and_spares_the_canvas() -> None:
    shape, config = Shape(1, 9, 9, 10), Config(steps=6, **SMALL)
    core = model(config, shape)
    noise, context = example(shape, config)

    def loss(outputs: Any) -> Tensor:
        return bound(outputs._replace(mu=outputs.mu[-1:].expand_as(outputs.mu)), context.images, config).total

    whole = gradient_flow(core, noise, context, loss, batch_size=3)
    cut = gradient_flow(core, noise, context, loss, batch_size=3, detach_every=2)
    assert whole.keys() == cut.keys()
    assert (cut["generator.canvas"] > 0).all()  # every stroke still feels the final canvas
    assert (cut["generator.decoder.h"] > 0).all()  # and so does the decoder that placed it
    for end in (1, 3):  # the last states before a cut: what the encoder remembers is not needed again
        assert cut["encoder.c"][end] < whole["encoder.c"][end]
    assert all(
        leaf.grad_fn is None
        for name, leaf in named_tensors(core.detach(last(core, noise, context))).items()
        if "canvas" not in name
    )
    assert core.detach(last(core, noise, context)).generator.canvas.grad_fn is not None


def last(core: Draw, noise: Tensor, context: Context) -> Any:
    return unroll(core, noise, core.initial_state(3), context)[1]


def test_the_generator_alone_repeats_what_draw_drew_from_the_same_latents() -> None:
    shape, config = Shape(1, 9, 9, 10), Config(steps=4, labelled=True, **SMALL)
    core = model(config, shape)
    noise, context = example(shape, config)
    drawn, _ = unroll(core, noise, core.initial_state(3), context)
    z = drawn.mu + drawn.log_sigma.exp() * noise
    again, _ = unroll(core.generator, z, core.generator.initial_state(3), context.labels)
    torch.testing.assert_close(again.canvas, drawn.canvas)
    torch.testing.assert_close(again.write, drawn.write)
    other, _ = unroll(core.generator, z, core.generator.initial_state(3), (context.labels + 1) % 10)
    assert not torch.allclose(other.canvas, drawn.canvas)


def test_an_unknown_label_is_no_class() -> None:
    shape, config = Shape(1, 9, 9, 3), Config(labelled=True, **SMALL)
    hot = model(config, shape).generator.prepare(torch.tensor([-1, 0, 2]))
    assert hot is not None
    assert hot.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert model(Config(**SMALL), shape).generator.prepare(None) is None


def test_a_fresh_model_begins_with_the_mean_image() -> None:
    shape, config = Shape(1, 9, 9, 10), Config(**SMALL)
    core = model(config, shape)
    _, context = example(shape, config, count=50)
    SYSTEM.prime(core, ImageBatch(*context))
    torch.testing.assert_close(torch.sigmoid(core.generator.canvas), context.images.mean(0))


def test_steps_grow_geometrically_and_stay() -> None:
    config = Config(steps=64, first_steps=16, grow_until=0.5)
    assert [steps_at(config, p) for p in (0, 0.25, 0.5, 0.9, 1.0)] == [16, 32, 64, 64, 64]
    assert steps_at(Config(steps=4, first_steps=10), 0.0) == 4
    assert steps_at(Config(steps=64, grow_until=0.0), 0.0) == 64


def test_autocast_keeps_canvas_cell_and_windows_in_full_precision() -> None:
    shape, config = Shape(1, 9, 9, 10), Config(steps=3, **SMALL)
    core = model(config, shape)
    noise, context = example(shape, config)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs, state = unroll(core, noise, core.initial_state(3), context)
    exact, _ = unroll(core, noise, core.initial_state(3), context)
    assert {leaf.dtype for leaf in named_tensors(outputs).values()} == {torch.float32}
    assert {leaf.dtype for leaf in named_tensors(state).values()} == {torch.float32}
    map_tensors(lambda a, b: torch.testing.assert_close(a, b, atol=0.1, rtol=0.1), outputs, exact)
