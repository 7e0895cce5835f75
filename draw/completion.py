"""Finish an image of which a part is given: infer latents that explain that part, and draw what they draw elsewhere.

The encoder looks at the image through a hole: where nothing is given it is shown the model's own canvas, so that
x^ = m (x - sigma(c_{t-1})), m = 1 where a pixel is given. That is the amortised posterior, and a rough one: the encoder
has never seen an image with a hole. It is then refined for this very image by ascent on

    E_q[log p(x_given | c_T)] - sum over t of KL(q_t || N(0, I))  <=  log p(x_given),

over a shift a_t and a log-scale b_t of the noise of every latent: eps' = a_t + exp(b_t) eps. So
q_t = N(mu_t + sigma_t a_t, (sigma_t exp(b_t))^2), whose mu_t and sigma_t the encoder still computes from what was
drawn so far. A q whose means are fixed numbers cannot mend at a later step what the sample of an earlier one spoilt:
on halves of MNIST digits its bound was 18 nats worse for the same time.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from saccade.draw import loss as objective
from saccade.draw.config import Config
from saccade.draw.model import Draw, Scene, State, Step
from saccade.images.config import ImageFacts
from saccade.images.source import ImageBatch
from saccade.pipeline.contract import Episode, Trace
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.unroll import unroll

REFINEMENTS, RATE = 60, 0.1
"""Steps of Adam, and its rate, in units of the encoder's sigma. On halves of MNIST digits the bound falls by some 12
nats of 60, most of it in the first 30 steps; a rate of 0.2 or 0.3 ends 3 to 4 nats higher."""

ALIKE = {True: 0.5, False: 0.1}
"""How far from a given pixel, in [0, 1], the drawn one may be to agree with it: black and white, and grey or colour."""


class Ending(NamedTuple):
    """A step of finishing, for a renderer: the generator's strokes, and which pixels are given."""

    canvas: Tensor  # c_t, logits [B, C, H, W]
    write: Tensor  # the window written [B, 6]
    log_scale: Tensor  # [B, C]
    given: Tensor  # bool [B, H, W]


class Fit(NamedTuple):
    """How well each ending explains and keeps what was given, all [B], in nats an image or as said."""

    bound: Tensor  # on -log p(x_given), for one sample
    amortised_bound: Tensor  # the same before it was refined
    kl: Tensor
    nats_per_pixel: Tensor  # -log p(x_given | c_T) per given pixel
    agreement_percent: Tensor  # of the given pixels, drawn as they were given (see `ALIKE`)


class Filling(RecurrentCore[Tensor, State, Any, Step]):
    """DRAW looking at an image with a hole. Inputs as `Draw`'s; context: a `Scene` and given, bool [B, 1, H, W]."""

    def __init__(self, draw: Draw) -> None:
        super().__init__()
        self.draw = draw

    def initial_state(self, batch_size: int) -> State:
        return self.draw.initial_state(batch_size)

    def prepare(self, context: tuple[Scene, Tensor]) -> Any:
        scene, given = context
        return *self.draw.prepare(scene), given

    def detach(self, state: State) -> State:
        return self.draw.detach(state)

    def forward(self, inputs: Tensor, state: State, context: Any) -> tuple[Step, State]:
        x, label, given = context
        filled = torch.where(given, x, torch.sigmoid(state.generator.canvas))
        return self.draw(inputs, state, (filled, label))


class Posterior:
    """q for B endings of T steps: the encoder's, and what was added to it."""

    def __init__(self, core: Draw, config: Config, scene: Scene, given: Tensor, generator: torch.Generator) -> None:
        self.core, self.config, self.scene, self.given, self.generator = Filling(core), config, scene, given, generator
        size = config.steps, len(scene.images), config.latent
        self.shift = torch.zeros(size, device=given.device, requires_grad=True)  # a
        self.log_scale = torch.zeros(size, device=given.device, requires_grad=True)  # b

    def draw(self) -> tuple[Step, Tensor]:
        """A sample: the steps, with mu and log sigma of the refined q, and its latents z [T, B, Z]."""
        steps, examples, latents = self.shift.shape
        noise = torch.randn(examples, steps, latents, generator=self.generator).transpose(0, 1).to(self.shift.device)
        changed = self.shift + self.log_scale.exp() * noise
        step, _ = unroll(self.core, changed, self.core.initial_state(examples), (self.scene, self.given))
        sigma = step.log_sigma.exp()
        z = step.mu + sigma * changed
        return step._replace(mu=step.mu + sigma * self.shift, log_sigma=step.log_sigma + self.log_scale), z

    def explain(self, step: Step) -> tuple[Tensor, Tensor]:
        """-log p(x_given | c_T) and the KL of a sample, each [B]."""
        nats = objective.pixel_nats(step.canvas[-1], step.log_scale[-1], self.scene.images, self.config)
        return (nats * self.given).flatten(1).sum(1), objective.divergence(step.mu, step.log_sigma).sum(0)

    def refine(self, refinements: int) -> Tensor:
        """Improve the bound of every ending by its own; the bounds before that [B]."""
        optimizer = torch.optim.Adam([self.shift, self.log_scale], RATE)
        with torch.no_grad():
            before = sum(self.explain(self.draw()[0]))
        for _ in range(refinements):
            loss = sum(term.sum() for term in self.explain(self.draw()[0]))
            self.shift.grad, self.log_scale.grad = torch.autograd.grad(loss, (self.shift, self.log_scale))  # type: ignore[arg-type]
            optimizer.step()
        return before  # type: ignore[return-value]


def complete(
    core: Draw,
    config: Config,
    image: Tensor,
    given: Tensor,
    facts: ImageFacts,
    *,
    count: int,
    seed: int,
    refinements: int = REFINEMENTS,
) -> tuple[Trace, Fit]:
    """Finish an image `count` times, each time from a start and with a posterior of its own.

    A network with labels tries all its classes alike, at least twice as many endings as were asked for, and gives
    those with the best bounds.

    Args:
        image: float32 [C, H, W] in [0, 1]; what stands where nothing is given does not matter.
        given: bool [H, W], at least one True.

    Returns:
        The trace, its outputs `Ending`s and its batch the image, and how well what was given is explained.
    """
    tried = math.ceil(2 * count / len(facts.classes)) * len(facts.classes) if config.labelled else count
    labels = torch.arange(tried) % len(facts.classes) if config.labelled else torch.full((tried,), -1)
    device = core.generator.canvas.device
    scene = Scene(image.to(device).expand(tried, -1, -1, -1), labels.to(device))
    holes = given.to(device).expand(tried, 1, -1, -1)
    posterior = Posterior(core, config, scene, holes, torch.Generator().manual_seed(seed))
    before = posterior.refine(refinements)
    with torch.no_grad():
        step, _ = posterior.draw()
        wrong, kl = posterior.explain(step)
    fit = Fit(wrong + kl, before, kl, *_kept(step, wrong, scene, holes, config))
    best = fit.bound.argsort()[:count].sort().values
    where = holes[:, 0].expand(len(step.canvas), -1, -1, -1)
    ending = Ending(*(part[:, best] for part in (step.canvas, step.write, step.log_scale, where)))
    batch = ImageBatch(scene.images[best], labels[best.cpu()])
    return Trace("draw", ending, Episode(None, None), batch, facts), Fit(*(part[best] for part in fit))


def _kept(step: Step, wrong: Tensor, scene: Scene, given: Tensor, config: Config) -> tuple[Tensor, Tensor]:
    """Nats per given pixel, and percent of the given pixels that were drawn as they are."""
    pixels = given.flatten(1).sum(1)
    two_levels = bool(((scene.images == 0) | (scene.images == 1) | ~given).all())
    alike = (torch.sigmoid(step.canvas[-1]) - scene.images).abs().amax(1, keepdim=True) < ALIKE[two_levels]
    return wrong / pixels, 100 * (alike & given).flatten(1).sum(1) / pixels
