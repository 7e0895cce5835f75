"""sketch-rnn written down literally: what speed is held against.

Eager fp32, every step on its own through autograd, in the paper's order: cells, output layer, mixture, loss.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LiteralSketch(nn.Module):
    """The paper's configuration: encoder 2 x 256, decoder 512, z 128, M 20."""

    def __init__(self, encoder: int = 256, decoder: int = 512, latent: int = 128, mixtures: int = 20) -> None:
        super().__init__()
        self.sizes, self.mixtures = (encoder, decoder, latent), mixtures
        self.forwards, self.backwards = nn.LSTMCell(5, encoder), nn.LSTMCell(5, encoder)
        self.mu, self.sigma_hat = nn.Linear(2 * encoder, latent), nn.Linear(2 * encoder, latent)
        self.begin = nn.Linear(latent, 2 * decoder)
        self.decoder, self.output = nn.LSTMCell(5 + latent, decoder), nn.Linear(decoder, 6 * mixtures + 3)

    def encode(self, cell: nn.LSTMCell, moves: Tensor, lengths: Tensor, order: list[int]) -> Tensor:
        h = c = moves.new_zeros(moves.shape[1], self.sizes[0])
        for t in order:
            new_h, new_c = cell(moves[t], (h, c))
            inside = (t < lengths)[:, None]
            h, c = torch.where(inside, new_h, h), torch.where(inside, new_c, c)
        return h

    def forward(
        self, moves: Tensor, lengths: Tensor, longest: int, kl_weight: float = 0.5, floor: float = 0.2
    ) -> Tensor:
        """The loss; moves [T, B, 5], the paper's S_1 to S_N."""
        steps, batch = moves.shape[:2]
        ahead = self.encode(self.forwards, moves, lengths, list(range(steps)))
        h = torch.cat([ahead, self.encode(self.backwards, moves, lengths, list(range(steps))[::-1])], 1)
        mu, sigma_hat = self.mu(h), self.sigma_hat(h)
        z = mu + torch.exp(sigma_hat / 2) * torch.randn_like(mu)
        h, c = torch.tanh(self.begin(z)).chunk(2, 1)
        before = moves.new_tensor([0, 0, 1, 0, 0]).expand(batch, 5)
        end = moves.new_tensor([0, 0, 0, 0, 1])
        loss = moves.new_zeros(batch)
        for t in range(steps + 1):
            h, c = self.decoder(torch.cat([before, z], 1), (h, c))
            y = self.output(h)
            target = torch.where((t < lengths)[:, None], moves[t], end) if t < steps else end.expand(batch, 5)
            loss = loss + self.step_loss(y, target) * (t <= lengths)
            before = target
        kl = -0.5 * (1 + sigma_hat - mu**2 - sigma_hat.exp()).mean()
        return loss.mean() / longest + kl_weight * kl.clamp(min=floor)

    def step_loss(self, y: Tensor, target: Tensor) -> Tensor:
        pen, weight, mx, my, sx, sy, rho = y.split([3, *[self.mixtures] * 6], 1)
        weight, sx, sy, rho = weight.softmax(1), sx.exp(), sy.exp(), rho.tanh()
        dx, dy = (target[:, :1] - mx) / sx, (target[:, 1:2] - my) / sy
        z = dx**2 + dy**2 - 2 * rho * dx * dy
        density = torch.exp(-z / (2 * (1 - rho**2))) / (2 * math.pi * sx * sy * torch.sqrt(1 - rho**2))
        offsets = -torch.log((weight * density).sum(1) + 1e-6) * (1 - target[:, 4])
        return offsets - (F.log_softmax(pen, 1) * target[:, 2:]).sum(1)


def literal_step(
    model: LiteralSketch, optimizer: torch.optim.Optimizer, moves: Tensor, lengths: Tensor, longest: int
) -> None:
    """One training step."""
    optimizer.zero_grad()
    model(moves, lengths, longest).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
