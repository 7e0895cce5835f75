"""The Recurrent Attention Model (Mnih et al. 2014, section 3.1 and figure 1) as a recurrent core.

A step looks, then remembers, in the paper's order: the policy draws a location from the last state, the sensor reads
the image there, the glimpse network combines content and location, and the core takes the result in. The policy stands
at the beginning of a step and not at its end. This is the only difference in form: every drawn location is looked at.

Departures from the paper, each a field of the config whose other value is the paper's: the location prior (`prior`),
the first location at the centre (`start`), moves in place of locations (`action`), a state that REINFORCE trains
(`policy_reads`), the reward (`reward`) and its baseline (`baseline`), the factor on the policy's inputs
(`policy_gain`). The policy's output passes through tanh. The classifier is trained to answer after the last glimpse
only, as in the paper; the beliefs before it come from a linear probe of the state, which trains nothing else.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.gaze.network import GlimpseNetwork
from saccade.gaze.sensor import PreparedImages, Retina
from saccade.glimpse.config import Config
from saccade.glimpse.reward import rewards_by_class
from saccade.glimpse.trace import Glimpse, GlimpseInputs, GlimpseStep, MovingState, State
from saccade.images.config import Shape
from saccade.recurrent.cells import CoreState, build_core, hidden_of
from saccade.recurrent.core import AnyCore, RecurrentCore
from saccade.recurrent.gaussian_window import Window, read_window
from saccade.recurrent.sequence import Lengths
from saccade.recurrent.shared_weights import affine
from saccade.recurrent.tree import count, map_tensors, take


def fixed_scan(glimpses: int, radius: float) -> Float[Tensor, "{glimpses} 2"]:
    """Return the locations of the fixed scan: the centre, four corners, four edges, and again."""
    stations = [(0, 0), (-1, -1), (1, 1), (1, -1), (-1, 1), (0, -1), (0, 1), (-1, 0), (1, 0)]
    locations = [[radius * x, radius * y] for x, y in (stations[t % len(stations)] for t in range(glimpses))]
    return torch.tensor(locations, dtype=torch.float32)


def full_precision(tensor: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Convert the 16-bit types of autocast to float32; float32 and float64 stay."""
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor


def _core(state: State) -> CoreState:
    return state.core if isinstance(state, MovingState) else state


class RAM(RecurrentCore[GlimpseInputs, State, PreparedImages | Tensor, Any]):
    """The model. Context: images [B, C, H, W] in [0, 1].

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
        self.baseline = nn.Linear(config.hidden, shape.classes if config.baseline == "label" else 1)
        self.classifier = nn.Linear(config.hidden, shape.classes)  # f_a
        self.prior = nn.Parameter(torch.zeros(actions, config.glimpses), requires_grad=config.prior == "scan")
        if config.prior == "scan":
            self.prior.data[:2] = fixed_scan(config.glimpses, config.scan_radius).t()
        self.probe = nn.Linear(config.hidden, shape.classes)  # reads every h_t, and trains only itself
        self.register_buffer("extents", torch.tensor(self.retina.half_extents()), persistent=False)

    def initial_state(self, batch_size: int) -> State:
        core: CoreState = self.core.initial_state(batch_size)
        return MovingState(core, self.extents.new_zeros(batch_size, 2)) if self.config.action == "move" else core

    def detach(self, state: State) -> State:
        if isinstance(state, MovingState):
            return state._replace(core=self.core.detach(state.core))
        return self.core.detach(state)

    def prepare(self, context: Float[Tensor, "B C H W"]) -> PreparedImages | Float[Tensor, "B C H W"]:
        return context if self.gaussian else self.retina.prepare(context)

    def forward(
        self, inputs: GlimpseInputs, state: State, context: PreparedImages | Float[Tensor, "B C H W"]
    ) -> tuple[GlimpseStep, State]:
        core_state, origin = (state.core, state.location) if isinstance(state, MovingState) else (state, None)
        before = hidden_of(core_state)
        detached = before.detach()  # then REINFORCE trains the policy's own layer and nothing below
        attached = self.gaussian or self.config.policy_reads == "state"
        features = self.config.policy_gain * (before if attached else detached)
        policy = self.policy
        action = affine((features, inputs.step), (policy.weight, self.prior), (policy.bias,))  # f_l(h_{t-1})
        action = full_precision(action)
        mean = torch.tanh(action[:, :2])
        mean = mean if origin is None else origin + mean
        chosen = inputs.forced.isnan().any(1)
        if isinstance(context, Tensor):  # Gaussian windows
            sample = location = torch.where(chosen[:, None], mean, inputs.forced)
            patches, extents = self.read(context, location, action[:, 2:])
        else:
            sample = mean.detach() + inputs.std[:, None] * inputs.noise  # l_t ~ N(f_l(h_{t-1}), std), section 3.1
            location = torch.where(chosen[:, None], sample, inputs.forced).clamp(-1, 1)
            patches = self.retina(context, location)  # rho(x, l_t), figure 1A
            extents = self.extents.expand(location.shape[0], -1, -1)
        where = location if origin is None else location - origin
        g = self.glimpse(patches.flatten(1), where)  # g_t = f_g(x, l_t), figure 1B
        _, core_state = self.core(g, core_state, None)  # h_t = f_h(h_{t-1}, g_t), figure 1C
        after, last = hidden_of(core_state).detach(), inputs.step[:, -1:] > 0
        step = GlimpseStep(location, extents, patches, mean, sample, chosen, detached, after, last)
        return step, core_state if origin is None else MovingState(core_state, location)

    def fused(
        self,
        inputs: GlimpseInputs,
        state: State,
        context: PreparedImages | Float[Tensor, "B C H W"],
        lengths: Lengths = None,
    ) -> tuple[tuple[GlimpseStep, Float[Tensor, "B K"]], State] | None:
        """With a greedy baseline in training, return beside the steps the answer at the locations of the policy's mean.

        None otherwise.
        """
        if lengths is not None or self.config.baseline != "greedy" or not torch.is_grad_enabled():
            return None
        with torch.no_grad():
            mean_inputs = inputs._replace(noise=torch.zeros_like(inputs.noise))
            answer = self._answer(self._stepped(mean_inputs, state, context)[1])
        steps, last = self._stepped(inputs, state, context)
        return (steps, answer), last

    def _stepped(
        self, inputs: GlimpseInputs, state: State, context: PreparedImages | Float[Tensor, "B C H W"]
    ) -> tuple[GlimpseStep, State]:
        """Return the stacked steps and the last state."""
        steps: list[GlimpseStep] = []
        for t in range(count(inputs)):
            step, state = self(take(inputs, t), state, context)
            steps.append(step)
        return map_tensors(lambda *leaves: torch.stack(leaves), *steps), state

    def readout(self, outputs: GlimpseStep | tuple[GlimpseStep, Float[Tensor, "B K"]], state: State) -> Glimpse:
        """Compute the answer from the last state, and the baseline and the probe from every state.

        Args:
            outputs: of all steps; with the answer at the locations of the policy's mean, if `fused` computed it.
            state: the last state.

        Raises:
            InputError: training with a greedy baseline which the unroll did not compute.
        """
        steps, greedy = (outputs, None) if isinstance(outputs, GlimpseStep) else outputs
        centres = steps.location[:, :, None].expand_as(steps.extents)
        return Glimpse(
            location=steps.location,
            windows=torch.cat([centres, steps.extents], dim=3),
            patches=steps.patches,
            logits=self._beliefs(steps, state),
            mean=steps.mean,
            sample=steps.sample,
            chosen=steps.chosen,
            baseline=self._baseline(steps, greedy),
        )

    def _answer(self, state: State) -> Float[Tensor, "B K"]:
        """Return f_a(h), section 3.1."""
        return full_precision(affine((hidden_of(_core(state)),), (self.classifier.weight,), (self.classifier.bias,)))

    def _beliefs(self, steps: GlimpseStep, state: State) -> Float[Tensor, "T B K"]:
        """Return the classifier's logits after the last glimpse, the probe's before."""
        answer = self._answer(state)  # f_a(h_T)
        so_far = self._each(self.probe, steps.after)
        final = torch.where(steps.last[-1], answer, so_far[-1])  # an unroll may stop before the last glimpse
        return torch.cat([so_far[:-1], final[None]])

    def _baseline(
        self, steps: GlimpseStep, greedy: Float[Tensor, "B K"] | None
    ) -> Float[Tensor, "T B"] | Float[Tensor, "T B K"]:
        """Return b_t: from every state, or the rewards of the greedy answer."""
        if greedy is not None:
            return rewards_by_class(greedy, self.config).expand(steps.before.shape[0], -1, -1)
        if self.config.baseline == "greedy" and torch.is_grad_enabled():
            do = "set detach_every to 0, or choose another baseline"
            raise InputError('an uncut unroll for baseline = "greedy"', "detach_every (or lengths, or on_state)", do)
        baseline = self._each(self.baseline, steps.before)
        return baseline if self.config.baseline == "label" else baseline.squeeze(2)

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
