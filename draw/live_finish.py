"""A begun image finished in several ways, for the panel in the studio: a guess at once, then better and better ones.

The guess takes the encoder's own posterior: many endings are drawn, and those with the best bounds are kept. Then the
posterior is refined for this image as `saccade draw complete` does, in portions, so that other pages get their turn.
"""

import time
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from saccade.draw.completion import MaskedDraw, Posterior, tried_labels
from saccade.draw.loss import divergence, pixel_nats
from saccade.draw.model import Context, Draw
from saccade.errors import InputError
from saccade.images.page_images import Base64, decoded, encoded, image_of
from saccade.json_types import Record
from saccade.pipeline.panel import Request, Steps
from saccade.pipeline.trained import AnyTrained

PORTION, PORTIONS, LONGEST_SECONDS = 3, 10, 12.0
"""Refinements in one piece of work, pieces of work, and seconds after which no further one begins. The bound gains most
in the first 30 refinements."""

GUESSES = 40
"""Endings that are drawn for the guess."""


class FinishRequest(Request):
    """A begun image, and the mask of its given pixels (255 given)."""

    network: str = Field(max_length=40)
    image: Base64
    given: Base64
    count: int = Field(ge=1, le=8)
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    refine: bool = True


class _Endings(NamedTuple):
    """Endings of T steps."""

    canvases: Tensor  # pixels in [0, 1] [T, B, 1, H, W]
    windows: Tensor  # [T, B, 6]
    kl: Tensor  # [T, B]
    bounds: Tensor  # [B]
    labels: Tensor  # [B]


class Finishing:
    """The operation `finish`."""

    def __init__(self, networks: Mapping[str, AnyTrained], steps: Mapping[str, Steps]) -> None:
        self.networks, self.steps = networks, steps
        self.masked = {name: MaskedDraw(_draw(network)) for name, network in networks.items()}

    async def finish(self, request: FinishRequest) -> AsyncIterator[Record]:
        """Yield the guess, the progress of the refinement, and the refined endings.

        Raises:
            InputError: no such network, or a mask that gives nothing or everything.
        """
        network = self.networks.get(request.network)
        if network is None:
            raise InputError(f"one of {', '.join(self.networks)}", f"{request.network!r}", "reload the page")
        facts, config = network.facts, network.config
        image = (image_of(request.image, facts)[0] > 0.5).float()
        given = torch.from_numpy(decoded(request.given, facts.height * facts.width) > 127)
        given = given.reshape(facts.height, facts.width)
        if given.all() or not given.any():
            raise InputError("some pixels that are given and some that are not", "all or none", "move the line")
        steps = self.steps[request.network]
        labels = tried_labels(config, facts, GUESSES // 2)
        context = Context(image.expand(len(labels), -1, -1, -1), labels)
        guess = await self._guess(request, steps, context, given.expand(len(labels), 1, -1, -1))
        yield {"phase": "guess", **_told(guess, request.count)}
        if not request.refine:
            return
        labels = tried_labels(config, facts, request.count)
        context = Context(image.expand(len(labels), -1, -1, -1), labels)
        holes = given.expand(len(labels), 1, -1, -1)
        generator = torch.Generator().manual_seed(request.seed)
        posterior = Posterior(_draw(network), config, context, holes, generator)
        begun, done = time.monotonic(), 0
        while done < PORTION * PORTIONS and time.monotonic() - begun < LONGEST_SECONDS:
            await steps.call(posterior.refine, PORTION)
            done += PORTION
            yield {"phase": "refining", "done": done, "of": PORTION * PORTIONS}
        refined = await steps.call(_sampled, posterior, labels)
        yield {"phase": "refined", "done": done, "of": PORTION * PORTIONS, **_told(refined, request.count)}

    async def _guess(self, request: FinishRequest, steps: Steps, context: Context, given: Tensor) -> _Endings:
        """Draw endings by the encoder's own posterior."""
        network, core = self.networks[request.network], self.masked[request.network]
        config, count = network.config, len(given)
        generator = torch.Generator().manual_seed(request.seed)
        noise = torch.randn(count, config.steps, config.latent, generator=generator).transpose(0, 1)
        state: Any = await steps.initial(core, count)
        canvases, windows, kl = [], [], []
        step = None
        for t in range(config.steps):
            step, state = await steps.step(core, noise[t], state, (context, given))
            canvases.append(torch.sigmoid(step.canvas))
            windows.append(step.write)
            kl.append(divergence(step.mu, step.log_sigma))
        assert step is not None
        nats = pixel_nats(step.canvas, step.log_scale, context.images, config)
        bounds = (nats * given).flatten(1).sum(1) + torch.stack(kl).sum(0)
        return _Endings(torch.stack(canvases), torch.stack(windows), torch.stack(kl), bounds, context.labels)


def _sampled(posterior: Posterior, labels: Tensor) -> _Endings:
    """Draw endings by a refined posterior."""
    with torch.no_grad():
        step, _ = posterior.draw()
        wrong, kl = posterior.explain(step)
        each = divergence(step.mu, step.log_sigma)
    return _Endings(torch.sigmoid(step.canvas), step.write, each, wrong + kl, labels)


def _told(endings: _Endings, count: int) -> Record:
    """Return the best endings for the page."""
    best = endings.bounds.argsort()[:count]
    return {
        "tried": len(endings.bounds),
        "endings": [
            {
                "label": int(endings.labels[i]),
                "bound": round(float(endings.bounds[i]), 2),
                "canvases": encoded(endings.canvases[:, i]),
                "windows": torch.round(endings.windows[:, i].double(), decimals=5).tolist(),
                "kl": torch.round(endings.kl[:, i].double(), decimals=4).tolist(),
            }
            for i in best.tolist()
        ],
    }


def _draw(network: AnyTrained) -> Draw:
    assert isinstance(network.core, Draw)
    return network.core
