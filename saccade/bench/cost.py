"""What an answer costs: parameters, multiply-adds, pixels read, memory."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, addmm_flop

from saccade.images.config import ImageFacts, Shape
from saccade.images.source import ImageBatch
from saccade.pipeline import systems
from saccade.pipeline.contract import AnySystem, load_system
from saccade.pipeline.evaluate.evaluate import unrolled
from saccade.recurrent.unroll import Unrolled

COUNTED_TOO = {torch.ops.aten.addmm_: lambda _, a, b, out_shape=None, **rest: addmm_flop(None, a, b, out_shape)}
"""In-place products, with which cores add the recurrent term: torch's counter leaves them out."""


class Answer(nn.Module):
    """A network as its user sees it, images in, belief out: float32 [B, C, H, W] to logits [B, K].

    The inputs that its episode needs (noise, steps) are made once for a batch size. A policy answers by its mean.
    """

    def __init__(self, core: Any, system: AnySystem, config: Any, images: Tensor) -> None:
        super().__init__()
        main = next(iter(system.conditions(config).values()))
        labels = torch.zeros(len(images), dtype=torch.int64)
        self.inputs = system.episode(ImageBatch(images, labels), main, torch.Generator().manual_seed(0)).inputs
        self.unrolled = Unrolled(core)

    def forward(self, images: Tensor) -> Tensor:
        return self.unrolled(self.inputs, images).logits[-1]


def untrained(system: str, model: dict[str, Any], facts: ImageFacts) -> tuple[Any, AnySystem, Any]:
    """A fresh core of fixed seed, its system, its config: what cost needs, for it does not depend on the weights."""
    package = load_system(system)
    config = systems.spec(system).config(**model)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        core = package.build(config, facts).eval().requires_grad_(False)
    return core, package, config


class Static(NamedTuple):
    """What does not depend on the machine; per image where it can be."""

    parameters: int
    multiply_adds: int
    pixels_read: int
    peak_memory_bytes: int  # of what one answer computes, beside the weights and the image


@torch.inference_mode()
def static(answer: Answer, images: Tensor, shape: Shape, config: Any) -> Static:
    """Count; `images` [1, C, H, W]."""
    assert len(images) == 1
    parameters = sum(p.numel() for p in answer.parameters())
    peak = peak_bytes(lambda: answer(images))
    return Static(parameters, multiply_adds(answer, images), pixels_read(config, shape), peak)


def multiply_adds(answer: Callable[[Tensor], Tensor], images: Tensor) -> int:
    """Of every matrix product and convolution, per image, counted while they run (elementwise work is not)."""
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=COUNTED_TOO) as counter:  # type: ignore[arg-type]
        answer(images)
    return counter.get_total_flops() // (2 * len(images))


def pixels_read(config: Any, shape: Shape) -> int:
    """Numbers that a network takes from one image: its glimpses' windows, or everything.

    A Gaussian filter has weight everywhere, so a differentiable window reads the whole image at every glimpse.
    """
    everything = shape.channels * shape.height * shape.width
    glimpses = getattr(config, "glimpses", None)
    if glimpses is None:
        return everything
    if config.attention == "gaussian":
        return glimpses * everything
    return glimpses * shape.channels * sum((config.patch * 2**s) ** 2 for s in range(config.scales))


class _Live(TorchDispatchMode):
    """Bytes of the tensors that are alive, and the most there ever were; what was there before does not count."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[int, Any] = {}
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


def peak_bytes(function: Callable[[], Any]) -> int:
    """The most memory that the tensors made by a function hold at one time, bytes; an operation's own workspace, which
    torch does not show, is not in it."""
    with _Live() as live:
        function()
    return live.most


def training_peak_bytes(core: Any, system: AnySystem, config: Any, batch: ImageBatch) -> int:
    """The same for one forward and backward pass over a batch, gradients of the weights included."""
    core = core.train().requires_grad_(True)
    episode = system.episode(batch, config, torch.Generator().manual_seed(0))

    def step() -> None:
        loss = system.loss(unrolled(core, episode), episode, config)
        loss.total.backward()

    peak = peak_bytes(step)
    core.zero_grad(set_to_none=True)
    return peak
