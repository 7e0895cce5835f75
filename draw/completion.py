"""Finish an image of which a part is given: infer latents that explain that part, and let them draw the rest.

Where nothing is given, the encoder gets the model's own canvas instead of the image, so that
x^ = m (x - sigma(c_{t-1})), m = 1 where a pixel is given. That is the amortised posterior, and a rough one: the encoder
has never seen an image with a hole. It is then refined for this one image by ascent on

    E_q[log p(x_given | c_T)] - sum over t of KL(q_t || N(0, I))  <=  log p(x_given),

over a shift a_t and a log-scale b_t of the noise of every latent: eps' = a_t + exp(b_t) eps. So
q_t = N(mu_t + sigma_t a_t, (sigma_t exp(b_t))^2), and the encoder still computes mu_t and sigma_t from the canvas so
far. A q whose means are fixed numbers cannot correct at a later step the sample of an earlier one: on halves of MNIST
digits its bound was 18 nats worse for the same time.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from saccade.draw import loss as objective
from saccade.draw.config import Config
from saccade.draw.model import Context, Draw, Prepared, State, Step
from saccade.images.config import ImageFacts
from saccade.images.source import ImageBatch
from saccade.pipeline.contract import Episode, Trace
from saccade.pipeline.progress import track
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.unroll import unroll

REFINEMENTS, RATE = 60, 0.1
"""Steps of Adam, and its rate, in units of the encoder's sigma. On halves of MNIST digits the bound falls by some 12
nats of 60, most of it in the first 30 steps; a rate of 0.2 or 0.3 ends 3 to 4 nats higher."""

AGREEMENT_DISTANCE = {True: 0.5, False: 0.1}
"""Largest difference in [0, 1] between a given and a drawn pixel that counts as agreement: for black and white (True),
and for grey or colour (False)."""


class Ending(NamedTuple):
    """A step of finishing, for a renderer: the generator's output, and the mask of the given pixels."""

    canvas: Float[Tensor, "B C H W"]
    """c_t, logits."""
    write: Float[Tensor, "B 6"]
    """The window written."""
    log_scale: Float[Tensor, "B C"]
    given: Bool[Tensor, "B H W"]


class Fit(NamedTuple):
    """Measures of each ending against the given pixels, nats an image unless a field says otherwise."""

    bound: Float[Tensor, " B"]
    """On -log p(x_given), for one sample."""
    amortised_bound: Float[Tensor, " B"]
    """The same before refinement."""
    kl: Float[Tensor, " B"]
    nats_per_pixel: Float[Tensor, " B"]
    """-log p(x_given | c_T) per given pixel."""
    agreement_percent: Float[Tensor, " B"]
    """Share of the given pixels that are drawn as given (see `AGREEMENT_DISTANCE`)."""


class MaskedPrepared(NamedTuple):
    """The context as a step of `MaskedDraw` sees it."""

    prepared: Prepared
    given: Bool[Tensor, "B 1 H W"]


class MaskedDraw(RecurrentCore[Tensor, State, MaskedPrepared, Step]):
    """DRAW reading an image with a hole. Inputs as `Draw`'s; context: a `Context` and the mask, bool [B, 1, H, W]."""

    def __init__(self, draw: Draw) -> None:
        super().__init__()
        self.draw = draw

    def initial_state(self, batch_size: int) -> State:
        return self.draw.initial_state(batch_size)

    def prepare(self, context: tuple[Context, Tensor]) -> MaskedPrepared:
        whole, given = context
        return MaskedPrepared(self.draw.prepare(whole), given)

    def detach(self, state: State) -> State:
        return self.draw.detach(state)

    def forward(self, inputs: Tensor, state: State, context: MaskedPrepared) -> tuple[Step, State]:
        (x, labels), given = context
        filled = torch.where(given, x, torch.sigmoid(state.generator.canvas))
        return self.draw(inputs, state, Prepared(filled, labels))


class Posterior:
    """q for B endings of T steps: the encoder's posterior, with a learned shift and scale."""

    def __init__(self, core: Draw, config: Config, context: Context, given: Tensor, generator: torch.Generator) -> None:
        self.core, self.config, self.generator = MaskedDraw(core), config, generator
        self.context, self.given = context, given
        size = config.steps, len(context.images), config.latent
        self.shift = torch.zeros(size, device=given.device, requires_grad=True)  # a
        self.log_scale = torch.zeros(size, device=given.device, requires_grad=True)  # b
        self.optimizer = torch.optim.Adam([self.shift, self.log_scale], RATE)

    def draw(self) -> tuple[Step, Tensor]:
        """Sample: return the steps, with mu and log sigma of the refined q, and the latents z [T, B, Z]."""
        steps, examples, latents = self.shift.shape
        noise = torch.randn(examples, steps, latents, generator=self.generator).transpose(0, 1).to(self.shift.device)
        changed = self.shift + self.log_scale.exp() * noise
        step, _ = unroll(self.core, changed, self.core.initial_state(examples), (self.context, self.given))
        sigma = step.log_sigma.exp()
        z = step.mu + sigma * changed
        return step._replace(mu=step.mu + sigma * self.shift, log_sigma=step.log_sigma + self.log_scale), z

    def explain(self, step: Step) -> tuple[Tensor, Tensor]:
        """Return -log p(x_given | c_T) and the KL of a sample, each [B]."""
        nats = objective.pixel_nats(step.canvas[-1], step.log_scale[-1], self.context.images, self.config)
        return (nats * self.given).flatten(1).sum(1), objective.divergence(step.mu, step.log_sigma).sum(0)

    def refine(self, refinements: int) -> Tensor:
        """Improve the bound of every ending separately; return the bounds before refinement [B]. It may be repeated."""
        with torch.no_grad():
            wrong, kl = self.explain(self.draw()[0])
            before = wrong + kl
        for _ in track(range(refinements), "finishing the picture", refinements):
            wrong, kl = self.explain(self.draw()[0])
            self.shift.grad, self.log_scale.grad = torch.autograd.grad(
                wrong.sum() + kl.sum(), (self.shift, self.log_scale)
            )
            self.optimizer.step()
        return before


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
    """Finish an image `count` times, each with its own noise and its own posterior.

    A network with labels tries all its classes equally often, makes at least twice as many endings as requested, and
    returns those with the best bounds.

    Args:
        image: float32 [C, H, W] in [0, 1]; its values outside the given part are not used.
        given: bool [H, W], at least one True.

    Returns:
        The trace, with `Ending` as outputs and the image as batch, and the measures of each ending.
    """
    labels = tried_labels(config, facts, count)
    tried = len(labels)
    device = core.generator.canvas.device
    context = Context(image.to(device).expand(tried, -1, -1, -1), labels.to(device))
    holes = given.to(device).expand(tried, 1, -1, -1)
    posterior = Posterior(core, config, context, holes, torch.Generator().manual_seed(seed))
    before = posterior.refine(refinements)
    with torch.no_grad():
        step, _ = posterior.draw()
        wrong, kl = posterior.explain(step)
    fit = Fit(wrong + kl, before, kl, *_kept(step, wrong, context, holes, config))
    best = fit.bound.argsort()[:count].sort().values
    mask = holes[:, 0].expand(len(step.canvas), -1, -1, -1)
    ending = Ending(*(part[:, best] for part in (step.canvas, step.write, step.log_scale, mask)))
    batch = ImageBatch(context.images[best], labels[best.cpu()])
    return Trace("draw", ending, Episode(None, None), batch, facts), Fit(*(part[best] for part in fit))


def tried_labels(config: Config, facts: ImageFacts, count: int) -> Tensor:
    """Return the labels of the endings to try for `count`: all classes equally often, at least twice as many; or -1."""
    if not config.labelled:
        return torch.full((count,), -1)
    return torch.arange(math.ceil(2 * count / len(facts.classes)) * len(facts.classes)) % len(facts.classes)


def _kept(step: Step, wrong: Tensor, context: Context, given: Tensor, config: Config) -> tuple[Tensor, Tensor]:
    """Return the nats per given pixel, and the percentage of the given pixels that are drawn as given, each [B]."""
    pixels = given.flatten(1).sum(1)
    two_levels = bool(((context.images == 0) | (context.images == 1) | ~given).all())
    alike = (torch.sigmoid(step.canvas[-1]) - context.images).abs().amax(1, keepdim=True) < AGREEMENT_DISTANCE[
        two_levels
    ]
    return wrong / pixels, 100 * (alike & given).flatten(1).sum(1) / pixels
