"""The Recurrent Attention Model written down literally, as popular PyTorch implementations do: the measure of speed.

Eager fp32, batch 128, every step on its own through autograd, a Python loop over the batch to crop the patches.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Normal


class LiteralRAM(nn.Module):
    """8 x 8 glimpses at one scale, hidden 256: section 4 of Mnih et al. 2014."""

    def __init__(self, std: float = 0.15) -> None:
        super().__init__()
        self.std = std
        self.what, self.where = nn.Linear(64, 128), nn.Linear(2, 128)
        self.from_what, self.from_where = nn.Linear(128, 256), nn.Linear(128, 256)
        self.from_glimpse, self.from_state = nn.Linear(256, 256), nn.Linear(256, 256)
        self.locate, self.expect, self.classify = nn.Linear(256, 2), nn.Linear(256, 1), nn.Linear(256, 10)

    def crop(self, images: Tensor, location: Tensor) -> Tensor:
        size = images.shape[-1]
        corner = ((location + 1) * size / 2 - 4).round().long()
        patches = []
        for i in range(len(images)):
            padded = F.pad(images[i : i + 1], (4, 4, 4, 4))
            x, y = int(corner[i, 0]) + 4, int(corner[i, 1]) + 4
            patches.append(padded[0, :, y : y + 8, x : x + 8])
        return torch.stack(patches).flatten(1)

    def forward(self, images: Tensor, glimpses: int) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities of the classes [B, K], of the locations [T, B], and the baselines [T, B]."""
        h = images.new_zeros(len(images), 256)
        location = torch.rand(len(images), 2) * 2 - 1
        log_policy, baselines = [], []
        for _ in range(glimpses):
            what = F.relu(self.what(self.crop(images, location)))
            where = F.relu(self.where(location))
            g = F.relu(self.from_what(what) + self.from_where(where))
            h = F.relu(self.from_glimpse(g) + self.from_state(h))
            mean = torch.tanh(self.locate(h.detach()))
            sample = Normal(mean, self.std).rsample().detach()
            log_policy.append(Normal(mean, self.std).log_prob(sample).sum(1))
            baselines.append(self.expect(h.detach()).squeeze(1))
            location = sample.clamp(-1, 1)
        return F.log_softmax(self.classify(h), dim=1), torch.stack(log_policy), torch.stack(baselines)


def literal_step(model: LiteralRAM, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    """One training step with 6 glimpses."""
    log_classes, log_policy, baselines = model(images, 6)
    reward = (log_classes.argmax(1) == labels).float().expand_as(baselines)
    reinforce = -(log_policy * (reward - baselines.detach())).sum(0).mean()
    loss = F.nll_loss(log_classes, labels) + F.mse_loss(baselines, reward) + reinforce
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
