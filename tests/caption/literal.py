"""Show, Attend and Tell written down literally, as popular PyTorch implementations do: the measure of speed.

Eager, float32, every step on its own through autograd: the annotation vectors are repeated for each caption, the keys
and the output layer are computed at every step, for padding too.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LiteralTeller(nn.Module):
    """Soft attention with the gate beta, an LSTM of 512, word vectors of 256, tied to the output."""

    def __init__(self, words: int, width: int = 1280, hidden: int = 512, size: int = 256) -> None:
        super().__init__()
        self.words, self.bias = nn.Embedding(words, size), nn.Parameter(torch.zeros(words))
        self.project, self.key = nn.Linear(width, hidden), nn.Linear(hidden, hidden, bias=False)
        self.first_h, self.first_c = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.gate, self.cell = nn.Linear(hidden, 1), nn.LSTMCell(size + hidden, hidden)
        self.from_hidden, self.from_seen = nn.Linear(hidden, size), nn.Linear(hidden, size)

    def forward(self, vectors: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """Scores [T, R, W] and attention [T, R, L] for annotation vectors [R, L, D] and last words [T, R]."""
        a = F.relu(self.project(vectors))
        h, c = torch.tanh(self.first_h(a.mean(1))), torch.tanh(self.first_c(a.mean(1)))
        scores, weights = [], []
        for word in words:
            alpha = torch.softmax((self.key(a) * h[:, None]).sum(2) / h.shape[1] ** 0.5, dim=1)
            z = torch.sigmoid(self.gate(h)) * (alpha[:, :, None] * a).sum(1)
            vector = self.words(word)
            h, c = self.cell(torch.cat([vector, z], dim=1), (h, c))
            said = F.dropout(self.from_hidden(h) + self.from_seen(z), 0.5)
            scores.append(F.linear(said, self.words.weight, self.bias))
            weights.append(alpha)
        return torch.stack(scores), torch.stack(weights)


def literal_step(
    model: LiteralTeller,
    optimizer: torch.optim.Optimizer,
    vectors: Tensor,
    words: Tensor,
    target: Tensor,
    doubly: float,
) -> None:
    """One training step; 0 in `target` [T, R] is padding."""
    scores, weights = model(vectors, words)
    told = target != 0
    loss = F.cross_entropy(scores.flatten(0, 1), target.flatten(), ignore_index=0, label_smoothing=0.1)
    loss = loss + doubly * (1 - (weights * told[:, :, None]).sum(0)).square().sum() / told.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
