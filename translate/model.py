"""The translating network: encoder, attention and decoder as one core (Bahdanau et al. 2015; Luong et al. 2015).

Departures: the encoder's two ends start the decoder's state (Bahdanau uses the backward one alone); the output layer's
matrix is the word vectors' (Press & Wolf 2017); dot products are scaled by the square root of the query's width.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from saccade.recurrent.cells import HiddenState, LSTMState, hidden_of
from saccade.recurrent.core import RecurrentCore
from saccade.recurrent.sequence import Lengths
from saccade.recurrent.shared_weights import affine, compute_type
from saccade.recurrent.soft_attention import AdditiveAttention, Attended, DotProductAttention, Memory
from saccade.recurrent.unroll import unroll
from saccade.translate.config import Config
from saccade.translate.encoder import CELLS, Encoder
from saccade.translate.pairs import DecoderState, Read, Source, Step, Words, Written
from saccade.words.output_layer import judge
from saccade.words.symbols import PAD

VECTOR_STD = 0.06
"""Standard deviation of fresh word vectors: as an output layer they must begin small."""


class Average(nn.Module):
    """No attention: the mean of the memory, whatever the query."""

    def prepare(self, memory: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"]) -> Memory:
        """Keep the memory, cleared where it is masked."""
        cleared = memory.masked_fill(~mask[:, :, None], 0)
        return Memory(cleared, cleared[:, :, :0], mask)

    def forward(self, query: Float[Tensor, "B Q"], memory: Memory) -> Attended:
        """Return the mean."""
        assert memory.mask is not None
        weights = memory.mask / memory.mask.sum(1, keepdim=True).clamp(min=1)
        weights = weights.to(memory.values.dtype)
        mean, groups = torch.bmm(weights[:, None], memory.values).squeeze(1), len(query) // len(weights)
        return Attended(mean.repeat(groups, 1), weights.repeat(groups, 1))


class Entered(RecurrentCore[Any, DecoderState, Read, Step]):
    """The decoder's step, from word vectors whose products are computed already: inputs (entered, target, kept)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, memory = config.hidden, 2 * config.encoder
        self.cell = CELLS[config.cell](config.embedding, width)
        gates = self.cell.cell.weight_hh.shape[0]
        self.feed = nn.Linear(width, gates, bias=False) if config.input_feeding else None
        kinds = {
            "dot": lambda: DotProductAttention(memory, width, scaled=True),
            "additive": lambda: AdditiveAttention(memory, width, width // 2),
            "none": Average,
        }
        self.attention = kinds[config.attention]()
        self.combine = nn.Linear(width + memory, width)
        self.keep = 1 - config.dropout

    def initial_state(self, batch_size: int) -> DecoderState:
        zeros = self.cell.zeros(batch_size)
        return DecoderState(self.cell.initial_state(batch_size), zeros, zeros[:, :1])

    def forward(
        self, inputs: tuple[Tensor, Tensor, Tensor | None], state: DecoderState, context: Read
    ) -> tuple[Step, DecoderState]:
        entered, target, kept = inputs
        if self.feed is not None:
            entered = entered + affine((state.vector,), (self.feed.weight,))  # section 3.3 of Luong et al.
        h, cell = self.cell.advance(entered, state.cell)  # h_t
        read = self.attention(h, context.memory)  # a_t, c_t: equations 7 and 8
        both = torch.cat([h.to(read.context.dtype), read.context], dim=1)
        vector = torch.tanh(affine((both,), (self.combine.weight,), (self.combine.bias,))).to(h.dtype)  # equation 5
        vector = dropped(vector, kept, self.keep)
        return Step(vector, read.weights, target), DecoderState(cell, vector, torch.ones_like(state.begun))


class EncoderDecoder(RecurrentCore[Words, DecoderState, Read, Any]):
    """Read a sentence once, and write its translation, a symbol a step. Context: `Source`. Outputs: `Written`."""

    def __init__(self, config: Config, symbols: int) -> None:
        super().__init__()
        tied, size = config.tied, config.embedding
        self.vectors = nn.Embedding(symbols, size)  # of what is written
        self.source_vectors = None if tied == "all" else nn.Embedding(symbols, size)
        self.output_vectors = nn.Embedding(symbols, size) if tied == "none" else None
        for table in (self.vectors, self.source_vectors, self.output_vectors):
            if table is not None:
                nn.init.normal_(table.weight, std=VECTOR_STD)
        self.encoder = Encoder(config.cell, size, config.encoder)
        self.start = nn.Linear(2 * config.encoder, config.hidden)
        self.decoder = Entered(config)
        self.project = nn.Linear(config.hidden, size)
        self.bias = nn.Parameter(torch.zeros(symbols))
        self.keep = 1 - config.dropout
        self.gain = size**0.5  # word vectors begin small: as inputs they are scaled up (Vaswani et al. 2017, 3.4)

    def initial_state(self, batch_size: int) -> DecoderState:
        return self.decoder.initial_state(batch_size)

    def prepare(self, context: Source) -> Read:
        table = self.source_vectors or self.vectors
        vectors = dropped(self.gain * table(context.symbols), context.kept, self.keep)
        annotations, ends = self.encoder(vectors, context.lengths)
        annotations = dropped(annotations, context.kept_memory, self.keep)
        places = torch.arange(annotations.shape[1], device=annotations.device)
        mask = places < context.lengths[:, None]
        start = torch.tanh(affine((ends,), (self.start.weight,), (self.start.bias,))).to(ends.dtype)
        annotations = annotations.to(compute_type(self.start.weight))
        return Read(self.decoder.attention.prepare(annotations, mask), start)

    def enter(self, previous: Int64[Tensor, "*T B"], kept: Tensor | None) -> Float[Tensor, "*T B gates"]:
        """Return the products of word vectors that enter the decoder's cell."""
        vectors = dropped(self.gain * self.vectors(previous), kept, self.keep)
        return self.decoder.cell.enter(vectors.flatten(0, -2)).view(*previous.shape, -1)

    def forward(self, inputs: Words, state: DecoderState, context: Read) -> tuple[Step, DecoderState]:
        entered = self.enter(inputs.previous, inputs.kept)
        return self.decoder((entered, inputs.target, inputs.kept_vector), begin(state, context), context)

    def fused(
        self, inputs: Words, state: DecoderState, context: Read, lengths: Lengths = None
    ) -> tuple[Step, DecoderState]:
        entered = self.enter(inputs.previous, inputs.kept)  # of all steps at once
        given = (entered, inputs.target, inputs.kept_vector)
        return unroll(self.decoder, given, begin(state, context), context, lengths=lengths)

    def readout(self, outputs: Step, state: DecoderState) -> Written:
        """Judge the true symbols, all steps at once, the padding left out."""
        there = outputs.target != PAD  # [T, B]
        log_p = self.project.weight.new_zeros(there.shape)
        found = judge(self.before_output(outputs.vector[there]), self.output_weight, self.bias, outputs.target[there])
        fill = lambda values: log_p.to(values.dtype).masked_scatter(there, values)  # noqa: E731
        log_ps, means = fill(found.log_p), fill(found.mean_log_p)
        return Written(outputs.attention, outputs.target, log_ps, means, fill(found.right))

    @property
    def output_weight(self) -> Tensor:
        """Matrix of the output layer."""
        return (self.output_vectors or self.vectors).weight

    def before_output(self, vector: Float[Tensor, "R F"]) -> Float[Tensor, "R E"]:
        """Return what the output layer multiplies."""
        return affine((vector,), (self.project.weight,), (self.project.bias,))

    def logits(self, output: Step) -> Float[Tensor, "B V"]:
        """Return the scores of all symbols at one step, for a search."""
        return affine((self.before_output(output.vector),), (self.output_weight,), (self.bias,))


class Writer(RecurrentCore[Tensor, DecoderState, Read, Step]):
    """The network as a search steps it: its inputs are symbols [B].

    For many sentences the products that enter the cell are computed once for every symbol, and then looked up.
    """

    def __init__(self, core: EncoderDecoder, *, many: bool = False) -> None:
        super().__init__()
        self.core = core
        symbols = torch.arange(core.vectors.num_embeddings, device=core.bias.device)
        self.entered = core.enter(symbols, None) if many else None

    def initial_state(self, batch_size: int) -> DecoderState:
        return self.core.initial_state(batch_size)

    def prepare(self, context: Source) -> Read:
        return self.core.prepare(context)

    def forward(self, inputs: Int64[Tensor, " B"], state: DecoderState, context: Read) -> tuple[Step, DecoderState]:
        if self.entered is None:
            return self.core(Words(inputs, inputs), state, context)
        return self.core.decoder((self.entered[inputs], inputs, None), begin(state, context), context)


def begin(state: DecoderState, context: Read) -> DecoderState:
    """Return the state with the encoder's start added where nothing has been written yet."""
    start = (1 - state.begun) * context.start
    cell = state.cell
    if isinstance(cell, LSTMState):
        return state._replace(cell=LSTMState(cell.h + start, cell.c))
    return state._replace(cell=HiddenState(hidden_of(cell) + start))


def for_beams(read: Read, beams: int) -> Read:
    """Return the context of all beams: they share a sentence's memory, see `saccade.words.search.Spread`."""
    return read._replace(start=read.start.repeat(beams, 1))


def dropped(values: Tensor, kept: Tensor | None, keep: float) -> Tensor:
    """Return values with 0 where a unit is dropped, the others divided by the probability of being kept."""
    return values if kept is None else values * (kept / keep).to(values.dtype)
