"""Cost of an answer: parameters, multiply-adds, pixels read, memory."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, addmm_flop

from saccade.images.config import ImageFacts, Shape
from saccade.images.source import ImageBatch
from saccade.json_types import Values
from saccade.pipeline import systems
from saccade.pipeline.contract import AnySystem, load_system
from saccade.pipeline.evaluate.evaluate import unrolled
from saccade.recurrent.core import AnyCore
from saccade.recurrent.unroll import Unrolled

COUNTED_TOO = {torch.ops.aten.addmm_: lambda _, a, b, out_shape=None, **rest: addmm_flop(None, a, b, out_shape)}
"""In-place products, which torch's counter omits; cores add the recurrent term with them."""


class Answer(nn.Module):
    """A network as a function from images, float32 [B, C, H, W], to logits [B, K].

    The other inputs of its episode (noise, steps) are made once for a batch size. A policy takes its mean action.
    """

    def __init__(self, core: AnyCore, system: AnySystem, config: object, images: Tensor) -> None:
        super().__init__()
        main = next(iter(system.conditions(config).values()))
        labels = torch.zeros(len(images), dtype=torch.int64)
        self.inputs = system.episode(ImageBatch(images, labels), main, torch.Generator().manual_seed(0)).inputs
        self.unrolled = Unrolled(core)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the last step."""
        return self.unrolled(self.inputs, images).logits[-1]


class Untrained(NamedTuple):
    """A network with random weights of a fixed seed: the cost does not depend on the weights."""

    core: AnyCore
    system: AnySystem
    config: object


def untrained(system: str, model: Values, facts: ImageFacts) -> Untrained:
    """Build a network with random weights of a fixed seed."""
    package = load_system(system)
    config = systems.spec(system).config(**model)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        core = package.build(config, facts).eval().requires_grad_(False)
    return Untrained(core, package, config)


class Static(NamedTuple):
    """The costs of an answer to one image that do not depend on the machine."""

    parameters: int
    multiply_adds: int
    pixels_read: int
    peak_memory_bytes: int  # without the weights and the image


@torch.inference_mode()
def static(answer: Answer, images: Tensor, shape: Shape, config: object) -> Static:
    """Measure the static costs; `images` [1, C, H, W]."""
    assert len(images) == 1
    parameters = sum(p.numel() for p in answer.parameters())
    peak = peak_bytes(lambda: answer(images))
    return Static(parameters, multiply_adds(answer, images), pixels_read(config, shape), peak)


def multiply_adds(answer: Callable[[Tensor], Tensor], images: Tensor) -> int:
    """Count the multiply-adds per image of all matrix products and convolutions, without elementwise operations."""
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=COUNTED_TOO) as counter:  # type: ignore[arg-type]
        answer(images)
    return counter.get_total_flops() // (2 * len(images))


@runtime_checkable
class HasGlimpses(Protocol):
    """The settings of a network that reads glimpses."""

    glimpses: int
    attention: str
    patch: int
    scales: int


def pixels_read(config: object, shape: Shape) -> int:
    """Return the number of values that a network reads from one image: those in its glimpses, or the whole image.

    The weights of a Gaussian filter are nowhere 0, so a differentiable window reads the whole image at every glimpse.
    """
    everything = shape.channels * shape.height * shape.width
    if not isinstance(config, HasGlimpses):
        return everything
    if config.attention == "gaussian":
        return config.glimpses * everything
    return config.glimpses * shape.channels * sum((config.patch * 2**s) ** 2 for s in range(config.scales))


class _LiveTensors(TorchDispatchMode):
    """Dispatch mode that tracks the bytes of the living tensors made under it, and their maximum."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[int, tuple[StorageWeakRef, int]] = {}
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {_storage(t) for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor) and _storage(tensor) not in given:
                storage = tensor.untyped_storage()
                self.known[storage._cdata] = (
                    StorageWeakRef(storage),
                    storage.nbytes(),
                )
        self.known = {key: value for key, value in self.known.items() if not value[0].expired()}
        self.most = max(self.most, sum(size for _, size in self.known.values()))
        return made


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def peak_bytes(function: Callable[[], object]) -> int:
    """Return the peak memory in bytes of the tensors that a function makes.

    The internal workspace of an operation is not included, since torch does not report it.
    """
    with _LiveTensors() as live:
        function()
    return live.most


def training_peak_bytes(core: AnyCore, system: AnySystem, config: object, batch: ImageBatch) -> int:
    """Return the peak memory in bytes of a forward and backward pass, gradients of the weights included."""
    core = core.train().requires_grad_(True)
    episode = system.episode(batch, config, torch.Generator().manual_seed(0))

    def step() -> None:
        loss = system.loss(unrolled(core, episode), episode, config)
        loss.total.backward()

    peak = peak_bytes(step)
    core.zero_grad(set_to_none=True)
    return peak
