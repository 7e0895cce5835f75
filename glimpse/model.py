"""The Recurrent Attention Model (Mnih et al. 2014, section 3.1 and figure 1) as a recurrent core.

A step looks, then remembers, in the paper's order: the location is drawn from the policy of the last state, the sensor
reads the image there, the glimpse network fuses what and where, and the core takes it in. That the policy stands at
the beginning of a step and not at its end is the only difference in form: no location is drawn that nobody looks at.

Departures from the paper, each of them a field of the config whose other value is the paper's: the location prior
(`prior`), the fixed start at the centre (`start`), moves instead of places (`action`), a state that REINFORCE trains
(`policy_reads`), the reward (`reward`) and what it is compared with (`baseline`), how much the policy reads
(`policy_gain`). The policy's output passes through tanh. The classifier is trained to answer after the last glimpse
alone, as in the paper; what the network could say before is read from its state by a linear probe, which changes
nothing else.
"""

from typing import Any

import torch
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.glimpse.config import Config
from saccade.glimpse.network import GlimpseNetwork
from saccade.glimpse.reward import rewards_by_class
from saccade.glimpse.sensor import Canvas, Retina
from saccade.glimpse.trace import Act, Eye, Glimpse, Looking
from saccade.images.config import Shape
from saccade.recurrent.cells import build_core
from saccade.recurrent.core import AnyCore, RecurrentCore
from saccade.recurrent.gaussian_window import Window, read_window
from saccade.recurrent.shared_weights import affine


def fixed_scan(glimpses: int, radius: float) -> Tensor:
    """Where the fixed scan looks, and the location prior begins: the centre, four corners, four edges, again [T, 2]."""
    stations = [(0, 0), (-1, -1), (1, 1), (1, -1), (-1, 1), (0, -1), (0, 1), (-1, 0), (1, 0)]
    places = [[radius * x, radius * y] for x, y in (stations[t % len(stations)] for t in range(glimpses))]
    return torch.tensor(places, dtype=torch.float32)


class RAM(RecurrentCore[Looking, Any, Any, Any]):
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
        self.baseline = nn.Linear(config.hidden, shape.classes if config.baseline == "label" else 1)
        self.classifier = nn.Linear(config.hidden, shape.classes)  # f_a
        self.prior = nn.Parameter(torch.zeros(actions, config.glimpses), requires_grad=config.prior == "scan")
        if config.prior == "scan":
            self.prior.data[:2] = fixed_scan(config.glimpses, config.scan_radius).t()
        self.probe = nn.Linear(config.hidden, shape.classes)  # reads h_t along the way and trains nothing below itself
        self.register_buffer("extents", torch.tensor(self.retina.half_extents()), persistent=False)

    def initial_state(self, batch_size: int) -> Any:
        state = self.core.initial_state(batch_size)
        return Eye(state, self.extents.new_zeros(batch_size, 2)) if self.config.action == "move" else state

    def detach(self, state: Any) -> Any:
        return Eye(self.core.detach(state.core), state.place) if isinstance(state, Eye) else self.core.detach(state)

    def prepare(self, context: Tensor) -> Canvas | Tensor:
        return context if self.gaussian else self.retina.prepare(context)

    def output(self, state: Any) -> Tensor:
        """h of the topmost layer [B, hidden]."""
        state = state.core if isinstance(state, Eye) else state
        return (state if hasattr(state, "h") else state[-1]).h

    def forward(self, inputs: Looking, state: Any, context: Any) -> tuple[Act, Any]:
        before, place = self.output(state), state.place if isinstance(state, Eye) else None
        blind = before.detach()  # then REINFORCE trains the policy's own layer and nothing below
        attached = self.gaussian or self.config.policy_reads == "state"
        seen_by_policy = self.config.policy_gain * (before if attached else blind)
        policy = self.policy
        action = affine((seen_by_policy, inputs.step), (policy.weight, self.prior), (policy.bias,)).float()
        mean = torch.tanh(action[:, :2])
        mean = mean if place is None else place + mean
        chosen = inputs.forced.isnan().any(1)
        if self.gaussian:
            sample = location = torch.where(chosen[:, None], mean, inputs.forced)
            patches, extents = self.read(context, location, action[:, 2:])
        else:
            sample = mean.detach() + inputs.std[:, None] * inputs.noise  # l_t ~ N(f_l(h_{t-1}), std)
            location = torch.where(chosen[:, None], sample, inputs.forced).clamp(-1, 1)
            patches = self.retina(context, location)  # rho(x, l_t) [B, S, C, g, g]
            extents = self.extents.expand(len(location), -1, -1)
        g = self.glimpse(patches.flatten(1), location if place is None else location - place)
        _, memory = self.core(g, state if place is None else state.core, None)  # h_t = f_h(h_{t-1}, g_t)
        state = memory if place is None else Eye(memory, location)
        after, last = self.output(state).detach(), inputs.step[:, -1:] > 0
        return Act(location, extents, patches, mean, sample, chosen, blind, after, last), state

    def fused(self, inputs: Looking, state: Any, context: Any) -> tuple[Any, Any] | None:
        """With a greedy baseline in training: the acts, and the belief to which the policy's mean comes [B, K]."""
        if self.config.baseline != "greedy" or not torch.is_grad_enabled():
            return None
        with torch.no_grad():
            answer = self._answer(self._steps(inputs._replace(noise=torch.zeros_like(inputs.noise)), state, context)[1])
        acts, state = self._steps(inputs, state, context)
        return (acts, answer), state

    def _steps(self, inputs: Looking, state: Any, context: Any) -> tuple[Act, Any]:
        acts = []
        for t in range(len(inputs.noise)):
            act, state = self(Looking(*(leaf[t] for leaf in inputs)), state, context)
            acts.append(act)
        return Act(*(torch.stack(field) for field in zip(*acts, strict=True))), state

    def _answer(self, state: Any) -> Tensor:
        """f_a(h) [B, K]."""
        return affine((self.output(state),), (self.classifier.weight,), (self.classifier.bias,)).float()

    def readout(self, outputs: Act | tuple[Act, Tensor], state: Any) -> Glimpse:
        """The answer from the last state, and what the baseline and the probe read from every state [T, B, ...]."""
        acts, greedy = (outputs, None) if isinstance(outputs, Act) else outputs
        baseline = self._each(self.baseline, acts.before)
        if greedy is not None:
            baseline = rewards_by_class(greedy, self.config).expand(len(baseline), -1, -1)
        centres = acts.location[:, :, None].expand_as(acts.extents)
        return Glimpse(
            location=acts.location,
            windows=torch.cat([centres, acts.extents], dim=3),
            patches=acts.patches,
            logits=self._beliefs(acts, state),
            mean=acts.mean,
            sample=acts.sample,
            chosen=acts.chosen,
            baseline=baseline.squeeze(2) if baseline.shape[2] == 1 else baseline,
        )

    def _beliefs(self, acts: Act, state: Any) -> Tensor:
        """The classifier's logits after the last glimpse, the probe's after the others [T, B, K]."""
        answer = self._answer(state)
        so_far = self._each(self.probe, acts.after)  # [T, B, K]
        final = torch.where(acts.last[-1], answer, so_far[-1])  # an unroll may stop before the last glimpse
        return torch.cat([so_far[:-1], final[None]])

    @staticmethod
    def _each(layer: nn.Linear, states: Tensor) -> Tensor:
        """A linear layer on every step's state: [T, B, hidden] to fp32 [T, B, O], one product."""
        flat = affine((states.flatten(0, 1),), (layer.weight,), (layer.bias,)).float()
        return flat.unflatten(0, states.shape[:2])

    def read(self, images: Tensor, location: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
        """DRAW's window at a location; `size` [B, 2]: log of stride and of deviation relative to a hard patch's.

        In full precision under autocast: half a pixel of 400 is less than bf16 can tell apart.
        """
        stride, sigma = size.clamp(-3, 3).exp().unbind(1)
        seen = []
        with torch.autocast(images.device.type, enabled=False):
            for s in range(self.config.scales):
                window = Window(location[:, 0], location[:, 1], stride * 2**s, 0.5 * sigma * 2**s)
                seen.append(read_window(images, window, self.config.patch))
        return torch.stack(seen, dim=1), stride[:, None, None] * self.extents
