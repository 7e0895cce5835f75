"""RAM's answers to its panel in the studio: a picture framed as digits, and gazes over an image, step by step."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from saccade.errors import InputError
from saccade.glimpse.config import Config
from saccade.glimpse.model import fixed_scan
from saccade.glimpse.trace import Glimpse, GlimpseInputs
from saccade.images.config import ImageFacts
from saccade.images.page_images import Base64, PictureRequest, encoded, framed, image_of
from saccade.json_types import Record
from saccade.pipeline.panel import Live, Operation, Request, Steps
from saccade.pipeline.trained import AnyTrained
from saccade.recurrent.tree import take

MOST_GLIMPSES, MOST_GAZES = 64, 8

FRAMERS = 2
"""Pictures that are framed at once."""

Coordinate = Annotated[float, Field(ge=-1, le=1)]
Place = Annotated[list[Coordinate], Field(min_length=2, max_length=2)]


class Gaze(Request):
    """One gaze over the image."""

    policy: Literal["learned", "fixed-scan", "random"]
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of a random gaze."""
    places: list[Place | None] = Field(default=[], max_length=MOST_GLIMPSES)
    """Locations that a person chose, by glimpse; None leaves the choice to the policy."""


class LookRequest(Request):
    """Several gazes over one image."""

    network: str = Field(max_length=40)
    image: Base64
    gazes: list[Gaze] = Field(min_length=1, max_length=MOST_GAZES)
    glimpses: int = Field(ge=1, le=MOST_GLIMPSES)


def inputs_of(gazes: list[Gaze], config: Config) -> GlimpseInputs:
    """Return the inputs of an unroll, without noise, every leaf [T, B, ...]."""
    steps, count = config.glimpses, len(gazes)
    forced = torch.full((steps, count, 2), torch.nan)
    for index, gaze in enumerate(gazes):
        if gaze.policy == "fixed-scan":
            forced[:, index] = fixed_scan(steps, config.scan_radius)
        elif gaze.policy == "random":
            forced[:, index] = 2 * torch.rand(steps, 2, generator=torch.Generator().manual_seed(gaze.seed)) - 1
        elif config.start != "learned":
            forced[0, index] = 0.0
        for t, place in enumerate(gaze.places[:steps]):
            if place is not None:
                forced[t, index] = torch.tensor(place)
    return GlimpseInputs(
        torch.zeros(steps, count, 2),
        forced,
        torch.full((steps, count), config.final_std),
        torch.eye(steps)[:, None].expand(-1, count, -1),
        torch.full((steps, count, 2), torch.nan),
    )


class Looking:
    """The panel's operations."""

    def __init__(self, networks: Mapping[str, AnyTrained], steps: Mapping[str, Steps]) -> None:
        self.networks, self.steps = networks, steps
        self.framers = asyncio.Semaphore(FRAMERS)

    async def frame(self, request: PictureRequest) -> AsyncIterator[Record]:
        """Frame a picture's digits for the first network."""
        network = next(iter(self.networks.values()))
        async with self.framers:  # beside the network's thread: glimpses do not wait for it
            yield await asyncio.to_thread(framed, request, network.facts)

    async def look(self, request: LookRequest) -> AsyncIterator[Record]:
        """Yield each glimpse of every gaze.

        Raises:
            InputError: no such network.
        """
        network = self.networks.get(request.network)
        if network is None:
            raise InputError(f"one of {', '.join(self.networks)}", f"{request.network!r}", "reload the page")
        count, core = len(request.gazes), network.core
        images = image_of(request.image, network.facts).expand(count, -1, -1, -1)
        inputs, steps = inputs_of(request.gazes, network.config), self.steps[request.network]
        state: Any = await steps.initial(core, count)
        for t in range(min(request.glimpses, network.config.glimpses)):
            glimpse, state = await steps.step(core, take(inputs, t), state, images)
            yield {"t": t, "gazes": [_seen(glimpse, index) for index in range(count)]}


def _seen(glimpse: Glimpse, index: int) -> Record:
    """Return one gaze's glimpse for the page."""
    belief = glimpse.logits[index].float().softmax(0)
    return {
        "location": _rounded(glimpse.location[index]),
        "windows": [_rounded(window) for window in glimpse.windows[index]],
        "patches": encoded(glimpse.patches[index]),
        "belief": _rounded(belief),
    }


def _rounded(values: Tensor) -> list[float]:
    return [round(value, 5) for value in values.tolist()]


def open_live(networks: Mapping[str, AnyTrained], steps: Mapping[str, Steps]) -> Live:
    """Return the live half of RAM's panel."""
    looking = Looking(networks, steps)
    return Live(
        {"networks": {name: _facts(network.config, network.facts) for name, network in networks.items()}},
        {"frame": Operation(PictureRequest, looking.frame), "look": Operation(LookRequest, looking.look)},
    )


def _facts(config: Config, facts: ImageFacts) -> Record:
    """Return what the page must know of a network, and static pages of its inputs."""
    return {
        "glimpses": config.glimpses,
        "patch": config.patch,
        "scales": config.scales,
        "width": facts.width,
        "height": facts.height,
        "classes": list(facts.classes),
        "hidden": config.hidden,
        "moves": config.action == "move",
        "starts": "learned" if config.start == "learned" else "centre",
        "std": config.final_std,
        "scan": fixed_scan(config.glimpses, config.scan_radius).tolist(),
    }
