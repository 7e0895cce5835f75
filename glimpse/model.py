"""The Recurrent Attention Model (Mnih et al. 2014, section 3.1 and figure 1) as a recurrent core.

A step looks, then remembers, in the paper's order: the policy draws a location from the last state, the sensor reads
the image there, the glimpse network combines content and location, and the core takes the result in. The policy stands
at the beginning of a step and not at its end. This is the only difference in form: every drawn location is looked at.

Departures from the paper, each a field of the config whose other value is the paper's: the location prior (`prior`),
the first location at the centre (`start`), the reward (`reward`), the factor on the policy's inputs (`policy_gain`).
The policy's mean passes through tanh. The classifier is trained to answer after the last glimpse only, as in the paper;
the beliefs before it come from a linear probe of the state, which trains nothing else.
"""

from typing import Any, NamedTuple, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.glimpse.config import Config
from saccade.glimpse.sensor import PreparedImages, Retina
from saccade.images.config import Shape
from saccade.recurrent.cells import HiddenState, LSTMState, build_core
from saccade.recurrent.core import AnyCore, RecurrentCore
from saccade.recurrent.gaussian_window import Window, read_window
from saccade.recurrent.shared_weights import affine
from saccade.recurrent.tree import Tree

CoreState: TypeAlias = tuple[Tree, ...]
"""State of the core: a `HiddenState`, an `LSTMState`, or a tuple of them, one a layer."""


class GlimpseInputs(NamedTuple):
    """A step's inputs: all randomness, and the locations that override the policy."""

    noise: Float[Tensor, "B 2"]
    """N(0, 1), for the location policy."""
    forced: Float[Tensor, "B 2"]
    """A location to look at; NaN leaves the choice to the policy."""
    std: Float[Tensor, " B"]
    """Standard deviation of the location policy, image coordinates."""
    step: Float[Tensor, "B T"]
    """t as a one-hot vector, which selects the location prior."""


class GlimpseStep(NamedTuple):
    """The output of a step alone; `RAM.readout` makes a `Glimpse` of the stacked steps."""

    location: Float[Tensor, "B 2"]
    extents: Float[Tensor, "B S 2"]
    """Half the width and height of each scale's window, image coordinates."""
    patches: Float[Tensor, "B S C g g"]
    mean: Float[Tensor, "B 2"]
    sample: Float[Tensor, "B 2"]
    chosen: Bool[Tensor, " B"]
    before: Float[Tensor, "B H"]
    """h_{t-1}, detached."""
    after: Float[Tensor, "B H"]
    """h_t, detached."""
    last: Bool[Tensor, "B 1"]
    """True at the last of the T glimpses."""


class Glimpse(NamedTuple):
    """The outputs of an unroll: locations, patches and beliefs."""

    location: Float[Tensor, "T B 2"]
    """l_t, (x, y) in [-1, 1]."""
    windows: Float[Tensor, "T B S 4"]
    """For each scale (x, y, half-width, half-height) in image coordinates."""
    patches: Float[Tensor, "T B S C g g"]
    """The retina's output."""
    logits: Float[Tensor, "T B K"]
    """Belief after each glimpse: the classifier's after the last one, the probe's before."""
    mean: Float[Tensor, "T B 2"]
    """Mean of the location policy."""
    sample: Float[Tensor, "T B 2"]
    """The policy's sample, before it is clamped to the image."""
    chosen: Bool[Tensor, "T B"]
    """True where the policy chose the location, so that REINFORCE applies."""
    baseline: Float[Tensor, "T B"]
    """b_t, the expected reward before the glimpse."""


class GlimpseNetwork(nn.Module):
    """f_g (figure 1B, section 4): g = Rect(Linear(h_g) + Linear(h_l)).

    There h_g = Rect(Linear(rho(x, l))) encodes the content, and h_l = Rect(Linear(l)) the location.
    """

    def __init__(self, seen: int, features: int, code: int) -> None:
        super().__init__()
        self.what = nn.Linear(seen, features)
        self.where = nn.Linear(2, features)
        self.from_what = nn.Linear(features, code)
        self.from_where = nn.Linear(features, code)

    def forward(self, seen: Float[Tensor, "B seen"], location: Float[Tensor, "B 2"]) -> Float[Tensor, "B code"]:
        what = affine((seen,), (self.what.weight,), (self.what.bias,), relu=True)  # h_g
        where = affine((location,), (self.where.weight,), (self.where.bias,), relu=True)  # h_l
        a, b = self.from_what, self.from_where
        return affine((what, where), (a.weight, b.weight), (a.bias, b.bias), relu=True)  # g_t


def fixed_scan(glimpses: int, radius: float) -> Float[Tensor, "{glimpses} 2"]:
    """Return the locations of the fixed scan: the centre, four corners, four edges, and again."""
    stations = [(0, 0), (-1, -1), (1, 1), (1, -1), (-1, 1), (0, -1), (0, 1), (-1, 0), (1, 0)]
    locations = [[radius * x, radius * y] for x, y in (stations[t % len(stations)] for t in range(glimpses))]
    return torch.tensor(locations, dtype=torch.float32)


def full_precision(tensor: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Convert the 16-bit types of autocast to float32; float32 and float64 stay."""
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor


def hidden_of(state: CoreState) -> Float[Tensor, "B H"]:
    """Return h of the topmost layer."""
    top = state if isinstance(state, HiddenState | LSTMState) else state[-1]
    assert isinstance(top, HiddenState | LSTMState)
    return top.h


class RAM(RecurrentCore[GlimpseInputs, CoreState, PreparedImages | Tensor, Any]):
    """The model; its state is the recurrent core's. Context: images [B, C, H, W] in [0, 1].

    Raises:
        InputError: the patch is larger than the image.
    """

    core: AnyCore
    extents: Tensor  # half the width and height of each scale's window, image coordinates [S, 2]

    def __init__(self, config: Config, shape: Shape) -> None:
        super().__init__()
        if config.patch > min(shape.height, shape.width):
            largest = f"{shape.width} x {shape.height} pixels"
            raise InputError(
                f"a patch no larger than the image, {largest}", f"patch = {config.patch}", "choose a smaller patch"
            )
        self.config = config
        self.retina = Retina(config.patch, config.scales, *shape[:3])
        self.glimpse = GlimpseNetwork(self.retina.features, config.features, config.hidden)
        self.core = build_core(config.core, config.hidden, config.hidden, config.layers)
        self.gaussian = config.attention == "gaussian"
        actions = 4 if self.gaussian else 2  # (x, y); a Gaussian window adds log stride and log deviation
        self.policy = nn.Linear(config.hidden, actions)  # f_l
        self.baseline = nn.Linear(config.hidden, 1)
        self.classifier = nn.Linear(config.hidden, shape.classes)  # f_a
        self.prior = nn.Parameter(torch.zeros(actions, config.glimpses), requires_grad=config.prior == "scan")
        if config.prior == "scan":
            self.prior.data[:2] = fixed_scan(config.glimpses, config.scan_radius).t()
        self.probe = nn.Linear(config.hidden, shape.classes)  # reads every h_t, and trains only itself
        self.register_buffer("extents", torch.tensor(self.retina.half_extents()), persistent=False)

    def initial_state(self, batch_size: int) -> CoreState:
        return self.core.initial_state(batch_size)

    def detach(self, state: CoreState) -> CoreState:
        return self.core.detach(state)

    def prepare(self, context: Float[Tensor, "B C H W"]) -> PreparedImages | Float[Tensor, "B C H W"]:
        return context if self.gaussian else self.retina.prepare(context)

    def forward(
        self, inputs: GlimpseInputs, state: CoreState, context: PreparedImages | Float[Tensor, "B C H W"]
    ) -> tuple[GlimpseStep, CoreState]:
        before = hidden_of(state)
        detached = before.detach()  # REINFORCE trains the policy's own layer and nothing below
        features = self.config.policy_gain * (before if self.gaussian else detached)
        policy = self.policy
        action = affine((features, inputs.step), (policy.weight, self.prior), (policy.bias,))  # f_l(h_{t-1})
        action = full_precision(action)
        mean = torch.tanh(action[:, :2])
        chosen = inputs.forced.isnan().any(1)
        if isinstance(context, Tensor):  # Gaussian windows
            sample = location = torch.where(chosen[:, None], mean, inputs.forced)
            patches, extents = self.read(context, location, action[:, 2:])
        else:
            sample = mean.detach() + inputs.std[:, None] * inputs.noise  # l_t ~ N(f_l(h_{t-1}), std), section 3.1
            location = torch.where(chosen[:, None], sample, inputs.forced).clamp(-1, 1)
            patches = self.retina(context, location)  # rho(x, l_t), figure 1A
            extents = self.extents.expand(len(location), -1, -1)
        g = self.glimpse(patches.flatten(1), location)  # g_t = f_g(x, l_t), figure 1B
        _, state = self.core(g, state, None)  # h_t = f_h(h_{t-1}, g_t), figure 1C
        after, last = hidden_of(state).detach(), inputs.step[:, -1:] > 0
        return GlimpseStep(location, extents, patches, mean, sample, chosen, detached, after, last), state

    def readout(self, outputs: GlimpseStep, state: CoreState) -> Glimpse:
        """Compute the answer from the last state, and the baseline and the probe from every state."""
        steps, f = outputs, self.classifier
        answer = full_precision(affine((hidden_of(state),), (f.weight,), (f.bias,)))  # f_a(h_T), section 3.1 [B, K]
        so_far = self._each(self.probe, steps.after)  # [T, B, K]
        final = torch.where(steps.last[-1], answer, so_far[-1])  # an unroll may stop before the last glimpse
        centres = steps.location[:, :, None].expand_as(steps.extents)
        return Glimpse(
            location=steps.location,
            windows=torch.cat([centres, steps.extents], dim=3),
            patches=steps.patches,
            logits=torch.cat([so_far[:-1], final[None]]),
            mean=steps.mean,
            sample=steps.sample,
            chosen=steps.chosen,
            baseline=self._each(self.baseline, steps.before).squeeze(2),
        )

    @staticmethod
    def _each(layer: nn.Linear, states: Float[Tensor, "T B H"]) -> Float[Tensor, "T B O"]:
        """Apply a linear layer to every step's state, in one product."""
        flat = full_precision(affine((states.flatten(0, 1),), (layer.weight,), (layer.bias,)))
        return flat.unflatten(0, states.shape[:2])

    def read(
        self, images: Float[Tensor, "B C H W"], location: Float[Tensor, "B 2"], size: Float[Tensor, "B 2"]
    ) -> tuple[Float[Tensor, "B S C g g"], Float[Tensor, "B S 2"]]:
        """Read through DRAW's window; return the patches, and half the windows' extents in image coordinates.

        In full precision under autocast: bf16 cannot represent half a pixel of 400.

        Args:
            size: log of the stride and of the deviation, relative to a hard patch's.
        """
        stride, sigma = size.clamp(-3, 3).exp().unbind(1)
        seen = []
        with torch.autocast(images.device.type, enabled=False):
            for s in range(self.config.scales):
                window = Window(location[:, 0], location[:, 1], stride * 2**s, 0.5 * sigma * 2**s)
                seen.append(read_window(images, window, self.config.patch))
        return torch.stack(seen, dim=1), stride[:, None, None] * self.extents
