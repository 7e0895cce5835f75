"""DRAW's answers to its panel in the studio: drawings from noise, and an image redrawn with the KL of every step."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from saccade.draw.config import Config
from saccade.draw.live_finish import Finishing, FinishRequest
from saccade.draw.loss import divergence
from saccade.draw.model import Context, Draw
from saccade.errors import InputError
from saccade.images.page_images import Base64, encoded, image_of
from saccade.json_types import Record
from saccade.pipeline.panel import Live, Operation, Request, Steps
from saccade.pipeline.trained import AnyTrained

MOST_DRAWINGS, DIRECTIONS = 12, 8

Label = Annotated[int, Field(ge=-1, le=9)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Amount = Annotated[float, Field(ge=-20, le=20)]


class Change(Request):
    """A move along the latents of one step: z_t of drawing i changes by amounts[i] along a direction."""

    step: int = Field(ge=0, le=999)
    direction: int = Field(ge=0, lt=DIRECTIONS)
    amounts: list[Amount] = Field(min_length=1, max_length=MOST_DRAWINGS)


class WriteRequest(Request):
    """Drawings from noise, as `saccade draw generate` draws them from the same seed."""

    network: str = Field(max_length=40)
    labels: list[Label] = Field(min_length=1, max_length=MOST_DRAWINGS)
    seed: Seed
    change: Change | None = None
    """With it all drawings begin from the first one's noise and label."""


class RedrawRequest(Request):
    """Images to redraw."""

    network: str = Field(max_length=40)
    images: Base64
    labels: list[Label] = Field(min_length=1, max_length=MOST_DRAWINGS)
    seed: Seed


def directions(draw: Draw) -> Tensor:
    """Return the directions [8, Z] of z that move the decoder the most: unit vectors, the strongest first.

    They are the right singular vectors of the matrix by which z enters the decoder.
    """
    weights = dict(draw.generator.decoder.named_parameters())
    entering = next(weight for name, weight in weights.items() if name.endswith("weight_ih"))
    found = torch.linalg.svd(entering[:, : draw.latent].float(), full_matrices=False).Vh[:DIRECTIONS]
    return found * found.gather(1, found.abs().argmax(1, keepdim=True)).sign()  # a singular vector's sign is free


class Drawing:
    """The panel's operations."""

    def __init__(self, networks: Mapping[str, AnyTrained], steps: Mapping[str, Steps]) -> None:
        self.networks, self.steps = networks, steps
        self.directions = {name: directions(_draw(network)) for name, network in networks.items()}

    async def write(self, request: WriteRequest) -> AsyncIterator[Record]:
        """Yield the canvases and windows of every step.

        Raises:
            InputError: no such network; labels for a network that takes none, or none for one that needs them.
        """
        network, config, steps = self._open(request.network)
        labels = checked_labels(request.labels, config)
        noise, labels = self._noise(request, labels, config)
        core = _draw(network).generator
        state: Any = await steps.initial(core, len(labels))
        for t in range(config.steps):
            stroke, state = await steps.step(core, noise[t], state, labels if config.labelled else None)
            yield {"t": t, "canvases": encoded(torch.sigmoid(stroke.canvas)), "windows": rounded(stroke.write)}

    def _noise(self, request: WriteRequest, labels: Tensor, config: Config) -> tuple[Tensor, Tensor]:
        """Return z [T, B, Z] and the labels [B], the change included."""
        generator = torch.Generator().manual_seed(request.seed)
        noise = torch.randn(len(labels), config.steps, config.latent, generator=generator).transpose(0, 1)
        change = request.change
        if change is None:
            return noise, labels
        if change.step >= config.steps:
            raise InputError(f"a step from 0 to {config.steps - 1}", str(change.step), "choose one")
        count = len(change.amounts)
        noise = noise[:, :1].repeat(1, count, 1)
        direction = self.directions[request.network][change.direction]
        noise[change.step] += torch.tensor(change.amounts)[:, None] * direction
        return noise, labels[:1].expand(count)

    async def redraw(self, request: RedrawRequest) -> AsyncIterator[Record]:
        """Yield the canvases, both windows and the KL of every step of images that are read and redrawn.

        Raises:
            InputError: as `write`.
        """
        network, config, steps = self._open(request.network)
        labels = checked_labels(request.labels, config)
        images = (image_of(request.images, network.facts, len(labels)) > 0.5).float()
        generator = torch.Generator().manual_seed(request.seed)
        noise = torch.randn(config.steps, len(labels), config.latent, generator=generator)
        core, context = _draw(network), Context(images, labels)
        state: Any = await steps.initial(core, len(labels))
        for t in range(config.steps):
            step, state = await steps.step(core, noise[t], state, context)
            kl = divergence(step.mu, step.log_sigma)
            yield {
                "t": t,
                "canvases": encoded(torch.sigmoid(step.canvas)),
                "windows": rounded(step.write),
                "reads": rounded(step.read),
                "kl": rounded(kl),
            }

    def _open(self, name: str) -> tuple[AnyTrained, Config, Steps]:
        network = self.networks.get(name)
        if network is None:
            raise InputError(f"one of {', '.join(self.networks)}", f"{name!r}", "reload the page")
        return network, network.config, self.steps[name]

    def facts(self) -> Record:
        """Return what the page must know of each network."""
        return {name: self._facts(name, network) for name, network in self.networks.items()}

    def _facts(self, name: str, network: AnyTrained) -> Record:
        config = network.config
        return {
            "steps": config.steps,
            "latent": config.latent,
            "labelled": config.labelled,
            "width": network.facts.width,
            "height": network.facts.height,
            "classes": list(network.facts.classes),
            "directions": [rounded(direction) for direction in self.directions[name]],
        }


def checked_labels(labels: list[int], config: Config) -> Tensor:
    """Return labels as a tensor.

    Raises:
        InputError: labels for a network that takes none, or none for one that needs them.
    """
    if any((label >= 0) != config.labelled for label in labels):
        takes = "a class for every drawing" if config.labelled else "no class"
        raise InputError(takes, str(labels), "choose the other network")
    return torch.tensor(labels)


def _draw(network: AnyTrained) -> Draw:
    assert isinstance(network.core, Draw)
    return network.core


def rounded(values: Tensor) -> Any:
    """Return values as nested lists, to five decimals."""
    return torch.round(values.detach().double(), decimals=5).tolist()


def open_live(networks: Mapping[str, AnyTrained], steps: Mapping[str, Steps]) -> Live:
    """Return the live half of DRAW's panel."""
    drawing, finishing = Drawing(networks, steps), Finishing(networks, steps)
    operations = {
        "write": Operation(WriteRequest, drawing.write),
        "redraw": Operation(RedrawRequest, drawing.redraw),
        "finish": Operation(FinishRequest, finishing.finish),
    }
    return Live({"networks": drawing.facts()}, operations)
