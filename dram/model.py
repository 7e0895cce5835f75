"""The deep recurrent attention model (Ba, Mnih & Kavukcuoglu 2015, section 3) as a recurrent core.

A step looks, then remembers, in the paper's order: the emission network draws a location from the upper layer's last
state, the glimpse network sees the picture there, the lower layer takes the glimpse in, the upper layer takes in the
lower one's output. After every N-th glimpse the lower layer's state is the answer about one object. The emission stands
at the beginning of a step and not at its end: every drawn location is looked at, and the glance chooses the first.

Departures from the paper, each a field of the config: moves in place of locations (`action`), GRU cells (`core`), a
fully connected glimpse network (`sees`), an upper layer that is told where the eye is (`place_told`), a factor on the
policy's inputs (`policy_gain`). The emission's mean passes through tanh.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from saccade.dram.config import Config, SequenceFacts
from saccade.dram.network import ConvolutionalGlimpse, Glance, full_precision
from saccade.dram.trace import GazeInputs, GazeStep, Reading, Seen, State
from saccade.errors import InputError
from saccade.gaze.network import GlimpseNetwork
from saccade.gaze.sensor import Retina
from saccade.recurrent.cells import CoreState, HiddenState, LSTMState, build_core, hidden_of
from saccade.recurrent.core import AnyCore, RecurrentCore
from saccade.recurrent.shared_weights import affine

PADDED = 64
"""Pictures with at most this many times the pixels of the largest window are padded once, for all their glimpses."""


class DRAM(RecurrentCore[GazeInputs, State, Seen, Any]):
    """The model. Context: pictures [B, C, H, W] in [0, 1].

    Raises:
        InputError: the patch is larger than the picture; a glance without an upper layer.
    """

    lower: AnyCore
    upper: AnyCore | None
    extents: Tensor  # half the width and height of each scale's window, image coordinates [R, 2]

    def __init__(self, config: Config, facts: SequenceFacts) -> None:
        super().__init__()
        _check(config, facts)
        self.config = config
        pad = facts.height * facts.width <= PADDED * (config.patch * 2 ** (config.scales - 1)) ** 2
        self.retina = Retina(config.patch, config.scales, facts.channels, facts.height, facts.width, pad=pad)
        self.glimpse = _glimpse_network(config, facts, self.retina.features)
        self.lower = build_core(config.core, config.hidden, config.hidden, 1)
        told = 2 + config.glimpses if config.place_told else 0
        self.upper = build_core(config.core, config.hidden + told, config.upper, 1) if config.upper else None
        top = config.upper or config.hidden
        self.glance = Glance(facts.channels, config.glance, config.glance_filters, top) if config.glance else None
        self.emission = nn.Linear(top, 2)  # E
        self.classifier = nn.Linear(config.hidden, len(facts.classes) + 1)  # O; the last is the end symbol
        self.halting = nn.Linear(top, 1)
        self.halting.requires_grad_(config.stop == "halting")
        self.baseline = nn.Linear(top, 1)
        self.baseline.requires_grad_(config.rollouts == 1)
        nn.init.zeros_(self.emission.weight)  # a fresh network stays where it is: at the centre
        nn.init.zeros_(self.emission.bias)
        nn.init.constant_(self.halting.bias, -2.0)  # a fresh network reads on
        self.register_buffer("extents", torch.tensor(self.retina.half_extents()), persistent=False)

    def initial_state(self, batch_size: int) -> State:
        lower: CoreState = self.lower.initial_state(batch_size)
        upper: CoreState = self.upper.initial_state(batch_size) if self.upper is not None else ()
        return State(lower, upper, self.extents.new_zeros(batch_size, 2))

    def detach(self, state: State) -> State:
        upper = self.upper.detach(state.upper) if self.upper is not None else ()
        return State(self.lower.detach(state.lower), upper, state.location)

    def prepare(self, context: Float[Tensor, "B C H W"]) -> Seen:
        """Pad the pictures, and glance at them; the rollouts of a picture share its glance."""
        prepared = self.retina.prepare(context)
        if self.glance is None:
            blank = context.new_zeros(context.shape[0], 0)
            return Seen(prepared, blank, blank.view(context.shape[0], 1, 0, 0).to(torch.uint8))
        copies = _copies(context, self.config.rollouts)
        coarse = self.glance.coarse(context[: context.shape[0] // copies])
        glance = self.glance(coarse).to(self.extents.dtype)
        drawn = (coarse.detach() * 255).round().to(torch.uint8)
        return Seen(prepared, glance.repeat(copies, 1), drawn.repeat(copies, 1, 1, 1))

    def forward(self, inputs: GazeInputs, state: State, context: Seen) -> tuple[GazeStep, State]:
        config, origin = self.config, state.location
        looking = _begun(state.upper, inputs.first, context.glance) if self.upper is not None else state.lower
        before = hidden_of(looking)  # r2_0 = C(I_coarse), section 3, "context network"
        emission = self.emission
        action = full_precision(affine((config.policy_gain * before,), (emission.weight,), (emission.bias,)))
        mean = torch.tanh(action)  # l_n = E(r2_{n-1}), "emission network"
        mean = origin + mean if config.action == "move" else mean
        chosen = inputs.forced.isnan().any(1)
        sample = mean.detach() + inputs.std[:, None] * inputs.noise
        location = torch.where(chosen[:, None], sample, inputs.forced).clamp(-1, 1)
        patches = self.retina(context.images, location)
        where = location - origin if config.action == "move" else location
        g = self.glimpse(patches.flatten(1), where)  # g_n = G(x_n, l_n), "glimpse network"
        r1, lower = self.lower(g, state.lower, None)  # r1_n = R(g_n, r1_{n-1}), "recurrent network"
        top, upper = r1, state.upper
        if self.upper is not None:
            told = torch.cat([r1, location.to(r1.dtype), inputs.clock.to(r1.dtype)], dim=1) if config.place_told else r1
            top, upper = self.upper(told, looking, None)  # r2_n = R(r1_n, r2_{n-1})
        extents = self.extents.expand(location.shape[0], -1, -1)
        answers = inputs.clock[:, -1] > 0
        step = GazeStep(
            *(location, extents, patches, context.coarse, mean, sample, chosen, answers),
            *(before.detach(), r1, top, inputs.chance),
        )
        return step, State(lower, upper, location)

    def readout(self, outputs: GazeStep, state: State) -> Reading:
        """Compute the answers, the stops and the baseline of all steps.

        Args:
            outputs: of all steps.
            state: the last state.
        """
        logits = self._each(self.classifier, outputs.lower)  # O(r1_n), "classification network"
        halting = self._each(self.halting, outputs.top).squeeze(2)
        ends = torch.zeros_like(outputs.answers)
        if self.config.stop == "end-symbol":
            stops = ends = logits.argmax(2) == logits.shape[2] - 1
        elif self.config.stop == "halting":
            stops = outputs.chance < halting.sigmoid()
        else:
            stops = ends
        centres = outputs.location[:, :, None].expand_as(outputs.extents)
        return Reading(
            location=outputs.location,
            windows=torch.cat([centres, outputs.extents], dim=3),
            patches=outputs.patches,
            coarse=outputs.coarse,
            logits=logits,
            answers=outputs.answers,
            stops=stops & outputs.answers,
            ends=ends & outputs.answers,
            halting=halting,
            mean=outputs.mean,
            sample=outputs.sample,
            chosen=outputs.chosen,
            baseline=self._each(self.baseline, outputs.before).squeeze(2),
        )

    def _each(self, layer: nn.Linear, states: Float[Tensor, "T B H"]) -> Float[Tensor, "T B K"]:
        """Apply a layer to the states of all steps as one product."""
        flat = affine((states.flatten(0, 1),), (layer.weight,), (layer.bias,))
        return full_precision(flat).unflatten(0, states.shape[:2])


def _check(config: Config, facts: SequenceFacts) -> None:
    side = min(facts.height, facts.width)
    if config.patch > side:
        largest = f"{facts.width} x {facts.height} pixels"
        raise InputError(
            f"a patch no larger than the picture, {largest}", f"patch = {config.patch}", "choose a smaller"
        )
    if config.glance and not config.upper:
        raise InputError("an upper layer for the glance to start", "upper = 0", "set glance = 0, or upper above 0")
    if config.glance > side:
        raise InputError(f"a glance of at most {side} pixels", f"glance = {config.glance}", "choose a smaller one")


def _glimpse_network(config: Config, facts: SequenceFacts, seen: int) -> nn.Module:
    if config.sees == "dense":
        return GlimpseNetwork(seen, config.features, config.hidden)
    filters = max(1, config.features // 8)
    return ConvolutionalGlimpse(config.scales, facts.channels, config.patch, filters, config.hidden)


def _copies(images: Tensor, rollouts: int) -> int:
    """Return M if the pictures are M copies of the same ones, one after the other; else 1."""
    if rollouts == 1 or images.shape[0] % rollouts:
        return 1
    once, *others = images.chunk(rollouts)
    return rollouts if all(torch.equal(once, other) for other in others) else 1


def _begun(state: CoreState, first: Tensor, glance: Tensor) -> CoreState:
    """Return the upper layer's state, at the first step with the glance as its h; a fresh state's h is 0."""
    if glance.shape[1] == 0:
        return state
    started = first[:, None] * glance
    if isinstance(state, HiddenState):
        return HiddenState(state.h + started)
    assert isinstance(state, LSTMState)
    return LSTMState(state.h + started, state.c)
