"""The reader and the writer alone, with and without attention: parts that feed forward from the decoder's output."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from saccade.draw.windows import FARTHEST, LARGEST_LOG, RECTANGLE, WholeReader, WholeWriter, WindowReader, WindowWriter
from saccade.images.config import Shape

HIDDEN = 6
GREY, COLOUR = Shape(1, 7, 7, 10), Shape(3, 5, 8, 10)
FAR = [(4.0, 0.0), (-4.0, 3.0), (0.0, -50.0), (1e30, -1e30)]
"""g~ of windows that lie wholly off the image."""


class Part(NamedTuple):
    """A reader (which takes the images too) or a writer."""

    build: Callable[[], nn.Module]
    shape: Shape
    reads: bool
    filters: int | None  # along a side


def part(kind: Any, shape: Shape, count: int | None = None) -> Part:
    sizes = {
        WholeReader: (shape,),
        WholeWriter: (HIDDEN, shape),
        WindowReader: (HIDDEN, count, shape),
        WindowWriter: (HIDDEN, count, shape),
    }[kind]
    return Part(lambda: kind(*sizes), shape, kind in (WholeReader, WindowReader), count)


PARTS = {
    "whole reader": part(WholeReader, COLOUR),
    "whole writer": part(WholeWriter, COLOUR),
    "reader of one filter": part(WindowReader, GREY, 1),
    "reader": part(WindowReader, COLOUR, 3),
    "reader of a filter for every pixel": part(WindowReader, GREY, 7),
    "writer of one filter": part(WindowWriter, GREY, 1),
    "writer": part(WindowWriter, COLOUR, 3),
    "writer of a filter for every pixel": part(WindowWriter, GREY, 7),
}
WINDOWS = [name for name, its in PARTS.items() if its.filters]
READERS = [name for name in WINDOWS if PARTS[name].reads]
WRITERS = [name for name in WINDOWS if not PARTS[name].reads]


def made(name: str, examples: int = 4, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """A module whose parameters are all off their initial values, and its arguments."""
    torch.manual_seed(0)
    its = PARTS[name]
    module = its.build().to(dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    images = [torch.rand(examples, *its.shape[:3], dtype=dtype) - low for low in (0.0, 0.5)]
    h = torch.rand(examples, HIDDEN, dtype=dtype) - 0.5
    return module, (*images, h) if its.reads else (h,)


def aimed(name: str, *aim: float, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The same, with a window that is always aimed at (g~_X, g~_Y, log sigma^2, log delta~, log gamma)."""
    module, arguments = made(name, dtype=dtype)
    linear = module.get_submodule("attention.linear")
    with torch.no_grad():
        linear.get_parameter("weight").zero_()
        linear.get_parameter("bias").copy_(torch.tensor(aim))
    return module, arguments


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("examples", [1, 4])
def test_shapes(name: str, examples: int) -> None:
    module, arguments = made(name, examples)
    result, rectangle = module(*arguments)
    channels, height, width, _ = PARTS[name].shape
    seen = 2 * channels * (PARTS[name].filters or 0) ** 2 or 2 * channels * height * width
    assert result.shape == ((examples, seen) if PARTS[name].reads else (examples, channels, height, width))
    assert not PARTS[name].reads or seen == module.features
    assert rectangle.shape == (examples, RECTANGLE)
    assert result.isfinite().all() and rectangle.isfinite().all()


@pytest.mark.parametrize("name", PARTS)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    """Of the images, of h_dec, and of every weight and bias."""
    module, arguments = made(name, examples=2)
    weights = dict(module.named_parameters())
    given = [*arguments, *(weight.detach().clone() for weight in weights.values())]

    def result(*values: Tensor) -> Tensor:
        changed = dict(zip(weights, values[len(arguments) :], strict=True))
        return functional_call(module, changed, values[: len(arguments)])[0]

    assert torch.autograd.gradcheck(result, [value.requires_grad_() for value in given])


@pytest.mark.parametrize("name", PARTS)
def test_examples_of_a_batch_do_not_see_one_another(name: str) -> None:
    module, arguments = made(name)
    together = module(*arguments)
    for i in range(4):
        alone = module(*(argument[i : i + 1] for argument in arguments))
        for whole, one in zip(together, alone, strict=True):
            torch.testing.assert_close(whole[i : i + 1], one)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("where", [(0.0, 0.0), (0.7, -0.3), *FAR])
def test_an_even_image_is_read_evenly_wherever_the_window_is(name: str, where: tuple[float, float]) -> None:
    """The weights of a filter sum to 1, off the image too: a grey level g is read as gamma g everywhere."""
    module, (x, error, h) = aimed(name, *where, 0.3, -1.0, 0.7)
    seen, _ = module(torch.full_like(x, 0.4), torch.full_like(error, -0.2), h)
    gamma = torch.tensor(0.7).exp()
    half = seen.shape[1] // 2
    torch.testing.assert_close(seen[:, :half], (0.4 * gamma).expand(4, half))
    torch.testing.assert_close(seen[:, half:], (-0.2 * gamma).expand(4, half))


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("where", [(0.0, 0.0), (0.7, -0.3), *FAR])
def test_all_that_is_written_lands_on_the_canvas(name: str, where: tuple[float, float]) -> None:
    """A filter's weights sum to 1, so the canvas takes what the patch holds, over gamma; far off, at its border."""
    module, (h,) = aimed(name, *where, 0.3, -1.0, 0.7)
    written, _ = module(h)
    patch = nn.functional.linear(h, *module.get_submodule("patch").parameters())
    per_channel = patch.view(4, PARTS[name].shape.channels, -1).sum(2) / torch.tensor(0.7).exp()
    torch.testing.assert_close(written.sum((2, 3)), per_channel, atol=1e-5, rtol=1e-5)
    if where in FAR:
        inside = written[:, :, 1:-1, 1:-1].abs().sum()
        assert inside < 0.05 * written.abs().sum()


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("size", [1e2, 1e6, 1e30])
def test_extreme_aims_give_finite_results_and_gradients(name: str, size: float) -> None:
    for entry in range(5):
        for sign in (-1, 1):
            aim = [0.0, 0.0, 0.5, -1.0, 0.5]
            aim[entry] = sign * size
            module, arguments = aimed(name, *aim)
            result, rectangle = module(*(argument.requires_grad_() for argument in arguments))
            assert result.isfinite().all() and rectangle.isfinite().all()
            result.square().sum().backward()
            assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
            assert all(a.grad is None or a.grad.isfinite().all() for a in arguments)


@pytest.mark.parametrize("name", WINDOWS)
def test_the_bounds_are_where_they_are_said_to_be(name: str) -> None:
    """What exceeds a bound aims as the bound does; what does not is left as it is."""
    bounds = (FARTHEST, FARTHEST, LARGEST_LOG, LARGEST_LOG, LARGEST_LOG)
    for entry, bound in enumerate(bounds):
        for sign in (-1, 1):
            aims = []
            for value in (0.9 * bound, bound, 1.1 * bound):
                aim = [0.1, -0.2, 0.5, -1.0, 0.5]
                aim[entry] = sign * value
                module, arguments = aimed(name, *aim)
                aims.append(module(*arguments)[1])
            assert torch.equal(aims[1], aims[2])
            assert not torch.equal(aims[0], aims[1])


@pytest.mark.parametrize("name", ["reader of one filter", "writer of one filter"])
def test_one_filter_has_no_stride(name: str) -> None:
    """N = 1, where the paper's (max(A, B) - 1) / (N - 1) divides by zero: the stride moves nothing."""
    results = []
    for log_stride in (-3.0, 2.0):
        module, arguments = aimed(name, 0.2, 0.1, 0.5, log_stride, 0.5)
        results.append(module(*arguments)[0])
    torch.testing.assert_close(results[0], results[1])
