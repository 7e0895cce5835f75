"""A literal implementation, as a tutorial writes it: torch's modules, a loop, all symbols' scores at each step."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from saccade.translate.model import EncoderDecoder
from saccade.words.symbols import BEGIN, END, NEVER_WRITTEN, PAD


class Literal(nn.Module):
    """GRU encoder and decoder, dot-product attention, input feeding; fp32 eager torch."""

    def __init__(self, symbols: int, embedding: int, encoder: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.vectors = nn.Embedding(symbols, embedding)
        self.encoder = nn.GRU(embedding, encoder, batch_first=True, bidirectional=True)
        self.start = nn.Linear(2 * encoder, hidden)
        self.cell = nn.GRUCell(embedding + hidden, hidden)
        self.key = nn.Linear(2 * encoder, hidden, bias=False)
        self.combine = nn.Linear(hidden + 2 * encoder, hidden)
        self.project = nn.Linear(hidden, embedding)
        self.bias = nn.Parameter(torch.zeros(symbols))
        self.drop = nn.Dropout(dropout)
        self.gain, self.scale = embedding**0.5, hidden**-0.5

    def encode(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        vectors = self.drop(self.gain * self.vectors(source))
        packed = nn.utils.rnn.pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        outputs, last = self.encoder(packed)
        memory, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
        h = torch.tanh(self.start(torch.cat([last[0], last[1]], dim=1)))
        memory = self.drop(memory)
        return memory, self.key(memory), torch.arange(memory.shape[1])[None] < lengths[:, None], h

    def step(
        self, previous: Tensor, h: Tensor, vector: Tensor, memory: Tensor, keys: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = self.drop(self.gain * self.vectors(previous))
        h = self.cell(torch.cat([x, vector], dim=1), h)
        scores = torch.bmm(keys, h[:, :, None]).squeeze(2) * self.scale
        weights = torch.softmax(scores.masked_fill(~mask, -torch.inf), dim=1)
        read = torch.bmm(weights[:, None], memory).squeeze(1)
        vector = self.drop(torch.tanh(self.combine(torch.cat([h, read], dim=1))))
        logits = self.project(vector) @ self.vectors.weight.t() + self.bias
        return logits, h, vector, weights

    def loss(self, source: Tensor, lengths: Tensor, previous: Tensor, target: Tensor, smoothing: float) -> Tensor:
        memory, keys, mask, h = self.encode(source, lengths)
        vector, total = torch.zeros_like(h), torch.zeros(())
        for t in range(len(target)):
            logits, h, vector, _ = self.step(previous[t], h, vector, memory, keys, mask)
            total = total + F.cross_entropy(
                logits, target[t], ignore_index=PAD, label_smoothing=smoothing, reduction="sum"
            )
        return total / (target != PAD).sum()

    @torch.no_grad()
    def search(self, source: Tensor, most: int, beams: int) -> list[int]:
        """Beam search for one sentence [S], the beams together, as `beam_search` does it for a batch."""
        memory, keys, mask, h = self.encode(source[None], torch.tensor([len(source)]))
        memory, keys, mask = (leaf.expand(beams, *leaf.shape[1:]) for leaf in (memory, keys, mask))
        h, vector = h.expand(beams, -1), torch.zeros(beams, h.shape[1])
        scores, alive = torch.tensor([0.0] + [-torch.inf] * (beams - 1)), [[BEGIN] for _ in range(beams)]
        finished: list[tuple[float, list[int]]] = []
        for step in range(most):
            logits, h, vector, _ = self.step(
                torch.tensor([words[-1] for words in alive]), h, vector, memory, keys, mask
            )
            log_p = torch.log_softmax(logits, dim=1)
            log_p[:, list(NEVER_WRITTEN)] = -torch.inf
            if step == most - 1:
                log_p = log_p.masked_fill(torch.arange(log_p.shape[1]) != END, -torch.inf)
            values, places = (scores[:, None] + log_p).flatten().topk(2 * beams)
            going = []
            for rank, (value, place) in enumerate(zip(values.tolist(), places.tolist(), strict=True)):
                row, word = divmod(place, log_p.shape[1])
                if word == END and rank < beams and value > -torch.inf:
                    finished.append((value / (step + 1), alive[row][1:]))
                elif word != END and len(going) < beams:
                    going.append((value, row, word))
            if len(finished) >= beams:
                break
            rows = torch.tensor([row for _, row, _ in going])
            alive = [[*alive[row], word] for _, row, word in going]
            scores, h, vector = torch.tensor([value for value, _, _ in going]), h[rows], vector[rows]
        return max(finished)[1]


def copy_of(core: EncoderDecoder, dropout: float = 0.0) -> Literal:
    """The literal network with the weights of ours (GRU, dot-product attention, input feeding, tied vectors)."""
    symbols, embedding = core.vectors.weight.shape
    encoder, hidden = core.encoder.forwards.output_size, core.decoder.cell.output_size
    literal = Literal(symbols, embedding, encoder, hidden, dropout).to(core.bias.dtype)
    cells = {"": core.encoder.forwards.cell, "_reverse": core.encoder.backwards.cell}
    with torch.no_grad():
        for ending, cell in cells.items():
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(literal.encoder, f"{name}_l0{ending}").copy_(getattr(cell, name))
        own = core.decoder.cell.cell
        assert core.decoder.feed is not None
        literal.cell.weight_ih.copy_(torch.cat([own.weight_ih, core.decoder.feed.weight], dim=1))
        for name in ("weight_hh", "bias_ih", "bias_hh"):
            getattr(literal.cell, name).copy_(getattr(own, name))
        literal.vectors.weight.copy_(core.vectors.weight)
        literal.key.weight.copy_(core.decoder.attention.key.weight)  # type: ignore[union-attr]
        for name in ("start", "project"):
            getattr(literal, name).load_state_dict(getattr(core, name).state_dict())
        literal.combine.load_state_dict(core.decoder.combine.state_dict())
        literal.bias.copy_(core.bias)
    return literal
