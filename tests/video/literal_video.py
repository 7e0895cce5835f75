"""The recogniser and the ConvLSTM written down equation by equation with torch's own modules in fp32, for their speed.

With equal weights they give what `TwoWayRecogniser` and `FedForecaster` give. Clips are read one frame after the other,
the gates of the ConvLSTM have a convolution each for the input and for the state (Shi et al. 2015, equation 3).
"""

from typing import Any

import torch
from torch import Tensor, nn

from saccade.video.encoder import CHANGE_SCALE, EPSILON
from saccade.video.forecaster import FedForecaster
from saccade.video.two_way import TwoWayRecogniser


class LiteralRecogniser(nn.Module):
    """Principal components, a GRU in both directions, soft attention over its states; one clip length a batch."""

    def __init__(self, core: TwoWayRecogniser) -> None:
        super().__init__()
        config, facts = core.config, core.facts
        self.components = nn.Linear(facts.channels * facts.height * facts.width, config.components)
        self.linear, self.norm = nn.Linear(2 * config.components, config.features), nn.LayerNorm(config.features)
        self.ahead, self.back = (nn.GRUCell(config.features, config.hidden) for _ in range(2))
        self.score = nn.Linear(2 * config.hidden, 1)
        self.answer = nn.Linear(2 * config.hidden, len(facts.classes))
        parts = (
            (self.components, "encoder.components"), (self.linear, "encoder.linear"), (self.norm, "encoder.norm"),
            (self.ahead, "core.cell"), (self.back, "backward_core.cell"), (self.score, "pool.score"),
            (self.answer, "answer"),
        )  # fmt: skip
        for mine, name in parts:
            mine.load_state_dict(core.get_submodule(name).state_dict())

    def forward(self, frames: Tensor) -> Tensor:
        """Return the logits [B, K] of clips [T, B, C, H, W]."""
        features, before = [], None
        for frame in frames:
            mean = frame.mean((1, 2, 3), keepdim=True)
            variance = ((frame - mean) ** 2).mean((1, 2, 3), keepdim=True)
            normal = (frame - mean) / torch.sqrt(variance + EPSILON)
            change = torch.zeros_like(normal) if before is None else normal - before
            still = self.components(normal.flatten(1))
            moving = self.components(change.flatten(1))
            both = self.linear(torch.cat([still, CHANGE_SCALE * moving], dim=1))
            features.append(torch.relu(self.norm(both)))
            before = normal
        h = frames.new_zeros(frames.shape[1], self.ahead.hidden_size)
        g, ahead, back = h, [], []
        for x in features:
            h = self.ahead(x, h)
            ahead.append(h)
        for x in reversed(features):
            g = self.back(x, g)
            back.insert(0, g)
        states = torch.stack([torch.cat(pair, dim=1) for pair in zip(ahead, back, strict=True)])
        weights = torch.softmax(self.score(states), dim=0)
        return self.answer((weights * states).sum(0))


class LiteralConvLSTM(nn.Module):
    """A stack of ConvLSTMs that is fed the frames that are seen, then its own predictions."""

    def __init__(self, core: FedForecaster) -> None:
        super().__init__()
        inner: Any = core.core
        self.side: int = inner.side
        self.of_input: Any = nn.ModuleList()
        self.of_state: Any = nn.ModuleList()
        for layer in inner.layers.layers:
            channels, weight, bias = layer.output_size, layer.gates.weight, layer.gates.bias
            given, pad = weight.shape[1] - channels, weight.shape[2] // 2
            inputs: Any = [nn.Conv2d(given, channels, weight.shape[2], padding=pad) for _ in range(4)]
            states = [nn.Conv2d(channels, channels, weight.shape[2], padding=pad, bias=False) for _ in range(4)]
            with torch.no_grad():
                for gate, (x, h) in enumerate(zip(inputs, states, strict=True)):
                    rows = slice(gate * channels, (gate + 1) * channels)
                    x.weight.copy_(weight[rows, :given])
                    x.bias.copy_(bias[rows])
                    h.weight.copy_(weight[rows, given:])
            self.of_input.append(nn.ModuleList(inputs))
            self.of_state.append(nn.ModuleList(states))
        self.output = nn.Conv2d(inner.output.in_channels, inner.output.out_channels, 1)
        self.output.load_state_dict(inner.output.state_dict())

    def forward(self, frames: Tensor, given: int) -> Tensor:
        """Return the predictions of frames 1 to T - 1, [T - 1, B, C, H, W]; `given` frames are seen."""
        states: list[tuple[Tensor, Tensor] | None] = [None] * len(self.of_input)
        predictions: list[Tensor] = []
        for t in range(len(frames) - 1):
            x = nn.functional.pixel_unshuffle(frames[t] if t < given else predictions[-1], self.side)
            outputs = []
            for n, (inputs, recurrent) in enumerate(zip(self.of_input, self.of_state, strict=True)):
                h, c = states[n] or (x.new_zeros(len(x), inputs[0].out_channels, *x.shape[2:]),) * 2
                i, f, g, o = (a(x) + b(h) for a, b in zip(inputs, recurrent, strict=True))
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                states[n], x = (h, c), h
                outputs.append(h)
            folded = self.output(torch.cat(outputs, dim=1))
            predictions.append(torch.sigmoid(nn.functional.pixel_shuffle(folded, self.side)))
        return torch.stack(predictions)
