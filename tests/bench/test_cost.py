"""Counting against counts by hand, and that nothing that multiplies goes uncounted."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from saccade.bench.cost import COUNTED_TOO, Answer, multiply_adds, peak_bytes, pixels_read, static, untrained
from saccade.images.config import Shape
from tests.images.cases import facts_of

SHAPE = Shape(1, 28, 28, 10)


def answer(system: str, model: dict[str, Any], shape: Shape = SHAPE, batch: int = 1) -> tuple[Answer, torch.Tensor]:
    core, package, config = untrained(system, model, facts_of(shape))
    images = torch.rand(batch, *shape[:3], generator=torch.Generator().manual_seed(0))
    return Answer(core, package, config, images), images


def ram_by_hand(glimpses: int, patch: int, features: int, hidden: int) -> int:
    """Mnih et al. 2014's network on one image, product by product."""
    policy = 2 * hidden + 2 * glimpses  # and its prior, a product with the step's one-hot vector
    what, where = patch * patch * features, 2 * features
    code = 2 * features * hidden
    core = hidden * hidden + hidden * hidden
    each = policy + what + where + code + core
    readout = 10 * hidden + glimpses * (10 * hidden + hidden)  # classifier; probe and baseline at every glimpse
    return glimpses * each + readout


@pytest.mark.parametrize(("glimpses", "patch", "features", "hidden"), [(6, 8, 128, 256), (1, 5, 7, 11), (3, 12, 32, 8)])
def test_ram_is_counted_as_by_hand(glimpses: int, patch: int, features: int, hidden: int) -> None:
    model = {"glimpses": glimpses, "patch": patch, "features": features, "hidden": hidden}
    assert multiply_adds(*answer("glimpse", model)) == ram_by_hand(glimpses, patch, features, hidden)


def test_counts_are_per_image() -> None:
    one, many = (multiply_adds(*answer("glimpse", {}, batch=batch)) for batch in (1, 5))
    assert one == many


def test_the_static_networks_are_counted_as_by_hand() -> None:
    assert multiply_adds(*answer("baseline", {"kind": "fc"})) == 784 * 256 + 256 * 256 + 256 * 10
    places = 4 * 4
    conv = places * 8 * 100 + places * 8 * 256 + 256 * 10
    assert multiply_adds(*answer("baseline", {"kind": "conv"})) == conv


def test_a_gaussian_window_is_counted_as_by_hand() -> None:
    plain = multiply_adds(*answer("glimpse", {"glimpses": 2, "hidden": 8, "features": 8}))
    model = {"glimpses": 2, "hidden": 8, "features": 8, "attention": "gaussian"}
    window = 28 * 28 * 8 + 8 * 28 * 8  # the rows through F_X, then F_Y
    policy = 2 * 8 + 2 * 2  # two actions more: stride and deviation
    assert multiply_adds(*answer("glimpse", model)) == plain + 2 * (window + policy)


class _Products(TorchDispatchMode):
    """The names of all operations that multiply matrices or convolve."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[Any] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if any(word in name for word in ("mm", "conv", "matmul", "mv", "linear", "dot", "einsum", "attention")):
            self.seen.add(func.overloadpacket)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("system", "model"),
    [
        ("glimpse", {}),
        ("glimpse", {"core": "lstm", "layers": 2}),
        ("glimpse", {"core": "gru", "scales": 3}),
        ("glimpse", {"attention": "gaussian", "scales": 2}),
        ("baseline", {"kind": "fc"}),
        ("baseline", {"kind": "conv"}),
        ("baseline", {"kind": "modern"}),
    ],
)
def test_every_product_is_one_that_the_counter_knows(system: str, model: dict[str, Any]) -> None:
    network, images = answer(system, model)
    with torch.no_grad(), _Products() as products:
        network(images)
    assert products.seen
    assert products.seen <= {*flop_registry, *COUNTED_TOO}


def test_pixels_read() -> None:
    for model, pixels in (
        ({"glimpses": 6}, 6 * 64),
        ({"glimpses": 4, "patch": 12, "scales": 3}, 4 * (144 + 576 + 2304)),
        ({"glimpses": 2, "attention": "gaussian"}, 2 * 784),
    ):
        assert pixels_read(untrained("glimpse", model, facts_of(SHAPE))[2], SHAPE) == pixels
    assert pixels_read(untrained("baseline", {}, facts_of(SHAPE))[2], SHAPE) == 784


def test_peak_memory_is_what_lives_at_one_time() -> None:
    x = torch.zeros(1000)

    def chain() -> torch.Tensor:
        y = x + 1  # 4000 bytes
        z = y * 2  # 4000 more
        del y
        view = z.view(10, 100)  # nothing
        view += 1  # nothing
        return view.sum()  # 4

    assert peak_bytes(chain) == 8000
    assert peak_bytes(lambda: x.view(10, 100)) == 0


def test_an_answer_on_a_large_image_needs_no_memory_of_its_size() -> None:
    small, large = (
        static(*answer("glimpse", {"glimpses": 2}, Shape(1, side, side, 10)), Shape(1, side, side, 10), None)
        for side in (100, 800)
    )
    assert large.peak_memory_bytes == small.peak_memory_bytes < 800 * 800
    assert large.multiply_adds == small.multiply_adds
