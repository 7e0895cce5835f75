"""DRAW written down literally, as popular PyTorch implementations do: what speed is held against.

Eager fp32, every step on its own through autograd, filterbanks as plain formulas in the paper's 1-based pixels.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LiteralDraw(nn.Module):
    """The paper's MNIST configuration: LSTM 256, z 100, read 2 x 2, write 5 x 5 on 28 x 28 pixels."""

    def __init__(self, read: int = 2, write: int = 5, hidden: int = 256, latent: int = 100, side: int = 28) -> None:
        super().__init__()
        self.count = {"read": read, "write": write}
        self.hidden, self.latent, self.side = hidden, latent, side
        self.encoder = nn.LSTMCell(2 * read**2 + hidden, hidden)
        self.decoder = nn.LSTMCell(latent, hidden)
        self.mu, self.log_sigma = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.read_window, self.write_window = nn.Linear(hidden, 5), nn.Linear(hidden, 5)
        self.patch = nn.Linear(hidden, write**2)

    def filters(self, h: Tensor, which: str) -> tuple[Tensor, Tensor, Tensor]:
        count, side = self.count[which], self.side
        linear = self.read_window if which == "read" else self.write_window
        gx, gy, log_variance, log_delta, log_gamma = linear(h).split(1, 1)
        gx, gy = (side + 1) / 2 * (gx + 1), (side + 1) / 2 * (gy + 1)
        delta = (side - 1) / (count - 1) * log_delta.exp()
        grid = torch.arange(count, dtype=torch.float32)[None] - count / 2 + 0.5
        pixels = torch.arange(1, side + 1, dtype=torch.float32)[None, None]
        found = []
        for centre in (gx, gy):
            means = (centre + grid * delta)[:, :, None]
            weights = torch.exp(-((pixels - means) ** 2) / (2 * log_variance.exp()[:, :, None]))
            found.append(weights / (weights.sum(2, keepdim=True) + 1e-8))
        return found[0], found[1], log_gamma.exp()

    def forward(self, images: Tensor, steps: int) -> Tensor:
        """The bound, averaged over the batch."""
        batch, side = len(images), self.side
        x = images.view(batch, side, side)
        canvas = x.new_zeros(batch, side * side)
        h_enc, c_enc, h_dec, c_dec = (x.new_zeros(batch, self.hidden) for _ in range(4))
        kl = x.new_zeros(batch)
        for _ in range(steps):
            error = x - torch.sigmoid(canvas).view(batch, side, side)
            fx, fy, gamma = self.filters(h_dec, "read")
            patches = [fy.bmm(image).bmm(fx.transpose(1, 2)).flatten(1) * gamma for image in (x, error)]
            h_enc, c_enc = self.encoder(torch.cat([*patches, h_dec], 1), (h_enc, c_enc))
            mu, log_sigma = self.mu(h_enc), self.log_sigma(h_enc)
            sigma = log_sigma.exp()
            z = mu + sigma * torch.randn_like(mu)
            kl = kl + 0.5 * (mu**2 + sigma**2 - 2 * log_sigma - 1).sum(1)
            h_dec, c_dec = self.decoder(z, (h_dec, c_dec))
            patch = self.patch(h_dec).view(batch, self.count["write"], -1)
            fx, fy, gamma = self.filters(h_dec, "write")
            canvas = canvas + fy.transpose(1, 2).bmm(patch).bmm(fx).flatten(1) / gamma
        wrong = F.binary_cross_entropy_with_logits(canvas, x.flatten(1), reduction="none").sum(1)
        return (wrong + kl).mean()


def literal_step(model: LiteralDraw, optimizer: torch.optim.Optimizer, images: Tensor, steps: int) -> None:
    """One training step."""
    loss = model(images, steps)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 10.0)
    optimizer.step()
