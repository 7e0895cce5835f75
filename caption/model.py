"""Show, Attend and Tell (Xu et al. 2015, section 3.1.2) as a recurrent core that reads words and looks at a picture.

A step looks, then remembers: the attention reads the picture with the last state (equations 4 to 6), the gate weighs
what it sees (section 4.2.1), the LSTM takes in the last word and the sight (equations 1 to 3). The output layer
(equation 7) does not feed back while a known sentence is read, so `readout` computes it once, for the words of all
steps that are not padding.

Departures, each a setting whose other value is the paper's: the projection of the annotation vectors (`features`), the
dot product as a score (`score`), a GRU (`core`). Without a setting: a learned vector for each place is added to the
projected annotation vectors; the output layer's weights are the word vectors, and E y_{t-1} is no input of it, since
its product with the word vectors would favour the last word itself; the initial states are a linear layer of the mean
annotation vector and tanh, where the paper has a perceptron; the baseline of hard attention is a linear layer of the
state, as RAM's, where the paper has a moving average.
"""

from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from saccade.caption.config import SCENES, CaptionFacts, Config
from saccade.caption.scene_encoder import SceneEncoder
from saccade.caption.trace import Look, Reading, Seen, Sight, State, Step, Told
from saccade.recurrent.cells import CoreState, build_core, hidden_of
from saccade.recurrent.core import AnyCore, RecurrentCore
from saccade.recurrent.shared_weights import affine
from saccade.recurrent.soft_attention import AdditiveAttention, DotProductAttention, Memory, read
from saccade.recurrent.tree import map_tensors, named_tensors
from saccade.words.output_layer import judge, smoothed_loss
from saccade.words.sampling import drawn_symbol
from saccade.words.symbols import BEGIN, END, NEVER_WRITTEN, PAD, SPECIAL

NEVER = -1e4
"""Score of a symbol that is never drawn."""

BLOCK = 64
"""The output layer's number of rows is a multiple of this."""


class Teller(RecurrentCore[Reading | Tensor, State, Seen, Step | Told]):
    """The model. Inputs: a `Reading`, or the last words alone, int64 [R], while it writes. Context: a `Sight`."""

    core: AnyCore

    def __init__(self, config: Config, facts: CaptionFacts) -> None:
        super().__init__()
        self.config = config
        self.looks_itself = facts.encoder == SCENES
        self.encoder = SceneEncoder(facts.width) if self.looks_itself else None
        width = config.features or facts.width
        self.project = nn.Linear(facts.width, width) if config.features else None
        self.places = nn.Parameter(torch.zeros(facts.places, width))
        self.words = nn.Embedding(len(SPECIAL) + len(facts.words), config.embedding)  # E, and L_o
        nn.init.normal_(self.words.weight, std=0.06)  # larger, and the loss starts far above log of the vocabulary
        self.attention = _attention(config, width)
        self.gate = nn.Linear(config.hidden, 1) if config.gate else None  # f_beta
        self.core = build_core(config.core, config.embedding + width, config.hidden, 1)
        leaves = len(named_tensors(self.core.initial_state(1)))
        self.first = nn.ModuleList(nn.Linear(width, config.hidden) for _ in range(leaves))  # f_init
        self.from_hidden = nn.Linear(config.hidden, config.embedding, bias=False)  # L_h
        self.from_seen = nn.Linear(width, config.embedding, bias=False)  # L_z
        self.output_bias = nn.Parameter(torch.zeros(len(SPECIAL) + len(facts.words)))
        self.expected = nn.Linear(config.hidden, 1) if config.attention == "hard" else None

    def initial_state(self, batch_size: int) -> State:
        begin = torch.full((batch_size,), BEGIN, device=self.places.device)
        return State(self.core.initial_state(batch_size), begin)

    def prepare(self, context: Sight) -> Seen:
        vectors, kept = context
        if self.encoder is not None:
            vectors = self.encoder(vectors)
        vectors = vectors.to(self.places.dtype) if not self._halves else vectors
        if self.project is not None:
            flat = affine((vectors.flatten(0, 1),), (self.project.weight,), (self.project.bias,), relu=True)
            vectors = flat.view(*vectors.shape[:2], -1)
        values = vectors + self.places.to(vectors.dtype)  # a_i
        if kept is not None:
            values = values * (kept / (1 - self.config.feature_dropout))[:, None].to(values.dtype)
        memory = Memory(values, values, None) if self.attention is None else self.attention.prepare(values)
        mean = values.mean(1)
        layers = cast("list[nn.Linear]", list(self.first))
        first = tuple(_full(torch.tanh(affine((mean,), (one.weight,), (one.bias,)))) for one in layers)
        return Seen(memory, mean, first)

    def forward(self, inputs: Reading | Int64[Tensor, " R"], state: State, context: Seen) -> tuple[Step, State]:
        reading = inputs if isinstance(inputs, Reading) else None
        word = inputs if isinstance(inputs, Tensor) else inputs.word
        word = state.word if word is None else word
        core = state.core if bool((state.word != BEGIN).all()) else self._begin(state, context)
        before = hidden_of(core)  # h_{t-1}
        seen, weights, look = self._look(before, context, None if reading is None else reading.chance)
        if self.gate is not None:
            gate = torch.sigmoid(_full(affine((before,), (self.gate.weight,), (self.gate.bias,))))  # beta, 4.2.1
            seen = seen * gate.to(seen.dtype)
        else:
            gate = before.new_ones(len(before), 1)
        vector = self.words(word)  # E y_{t-1}
        if reading is not None and reading.kept_word is not None:
            vector = vector * reading.kept_word / (1 - self.config.word_dropout)
        hidden, core = self.core(torch.cat([vector, seen.to(vector.dtype)], dim=1), core, None)  # equations 1 to 3
        step = Step(hidden, seen, weights, gate.squeeze(1), look, reading)
        if reading is None or reading.uniform is None:
            return step, State(core, torch.full_like(state.word, PAD))
        drawn = self._draw(step, reading.kept_output, reading.uniform, state.word)
        return step._replace(reading=reading._replace(target=drawn)), State(core, drawn)

    def logits(self, step: Step) -> Float[Tensor, "R W"]:
        """Return the scores of the next word after one step: equation 7 without its softmax."""
        return self._scores(step, None, self.output_bias)

    def readout(self, outputs: Step | Told, state: State) -> Step | Told:
        """Compute the output layer for all words, and the baseline.

        Without known sentences, while the network writes, the outputs stay as they are.
        """
        assert isinstance(outputs, Step)
        reading = outputs.reading
        if reading is None:
            return outputs
        assert reading.target is not None
        told = reading.target != PAD  # [T, R]
        rows = told.flatten().nonzero().squeeze(1)
        words = len(rows)
        rows = F.pad(rows, (0, -words % BLOCK))  # a row's rounding depends on the number of rows, outside full blocks
        target = reading.target.flatten()[rows]
        chosen = lambda leaf: leaf.flatten(0, 1)[rows]  # noqa: E731
        kept = None if reading.kept_output is None else chosen(reading.kept_output)
        said = self._said(chosen(outputs.hidden), chosen(outputs.seen), kept)
        drawn = reading.uniform is not None
        judged = judge(said, self.words.weight, self._writable if drawn else self.output_bias, target)
        smoothing = 0.0 if drawn else self.config.smoothing
        cost = smoothed_loss(judged.log_p, judged.mean_log_p, smoothing)
        spread = lambda values: values.new_zeros(told.shape).masked_scatter(told, values[:words])  # noqa: E731
        log_p = spread(judged.log_p.detach())
        return Told(spread(cost), log_p, outputs.weights, outputs.gate, outputs.look, reading.target)

    def detach(self, state: State) -> State:
        return State(self.core.detach(state.core), state.word)

    @property
    def _writable(self) -> Tensor:
        """The output layer's bias, with which no symbol is drawn that no sentence holds."""
        never = torch.tensor(NEVER_WRITTEN, device=self.output_bias.device)
        return self.output_bias.index_fill(0, never, NEVER)

    @torch.no_grad()
    def _draw(self, step: Step, kept: Tensor | None, uniform: Tensor, before: Tensor) -> Int64[Tensor, " R"]:
        """Return a word for each row, drawn from its probabilities; PAD after the end."""
        ended = (before == END) | (before == PAD)
        return drawn_symbol(self._scores(step, kept, self._writable), uniform).masked_fill(ended, PAD)

    def _scores(self, step: Step, kept: Tensor | None, bias: Tensor) -> Float[Tensor, "R W"]:
        """Return the output layer's scores after one step, with dropout."""
        said = self._said(step.hidden, step.seen, kept)
        return _full(affine((said,), (self.words.weight,), (bias,)))

    @property
    def _halves(self) -> bool:
        return torch.is_autocast_enabled(self.places.device.type)

    def _begin(self, state: State, context: Seen) -> CoreState:
        """Return the initial state of the rows that have not begun: c_0 and h_0, section 3.1.2."""
        leaves = iter(context.first)

        def begin(leaf: Tensor) -> Tensor:
            first = next(leaves)
            return torch.where(state.word[:, None] != BEGIN, leaf, first.repeat(len(leaf) // len(first), 1))

        return map_tensors(begin, state.core)

    def _look(self, before: Tensor, context: Seen, chance: Tensor | None) -> tuple[Tensor, Tensor, Look | None]:
        """Return z, alpha and the choice of hard attention."""
        memory, places = context.memory, len(self.places)
        if self.attention is None:
            groups = len(before) // len(context.mean)
            return context.mean.repeat(groups, 1), before.new_full((len(before), places), 1 / places), None
        seen, weights = self.attention(before, memory)  # equations 4 to 6
        if self.config.attention == "soft":
            return seen, weights, None
        return self._hard(before, memory, weights, chance)

    def _hard(
        self, before: Tensor, memory: Memory, weights: Tensor, chance: Tensor | None
    ) -> tuple[Tensor, Tensor, Look]:
        """Return the annotation vector at a sampled place (section 4.1), alpha, and the choice.

        The gradient of alpha comes from REINFORCE where a place is sampled, and else through the mean.
        """
        assert self.expected is not None
        sampled = torch.zeros(len(weights), dtype=torch.bool) if chance is None else ~chance.isnan()
        most = weights.argmax(1)
        drawn = most if chance is None else (weights.detach().cumsum(1) <= chance.nan_to_num()[:, None]).sum(1)
        place = torch.where(sampled, drawn.clamp(max=weights.shape[1] - 1), most)
        chosen = F.one_hot(place, weights.shape[1]).to(weights.dtype)
        writes = chance is None and self.config.looks == "most"
        used = chosen if writes else torch.where(sampled[:, None], chosen, weights)
        logs = weights.clamp_min(1e-9).log()
        log_probability = torch.where(sampled, logs.gather(1, place[:, None]).squeeze(1), 0.0)
        entropy = -(weights * logs).sum(1)
        baseline = _full(affine((before.detach(),), (self.expected.weight,), (self.expected.bias,))).squeeze(1)
        return read(used, memory), used if writes else weights, Look(log_probability, entropy, baseline)

    def _said(self, hidden: Tensor, seen: Tensor, kept: Tensor | None) -> Tensor:
        """Return L_h h_t + L_z z_t, the input of L_o in equation 7, with dropout."""
        said = affine((hidden, seen), (self.from_hidden.weight, self.from_seen.weight))
        return said if kept is None else said * (kept / (1 - self.config.dropout)).to(said.dtype)


def _attention(config: Config, width: int) -> AdditiveAttention | DotProductAttention | None:
    """Build f_att."""
    if config.attention == "none":
        return None
    if config.score == "additive":
        return AdditiveAttention(width, config.hidden, config.scored)
    return DotProductAttention(width, config.hidden, scaled=True)


def _full(tensor: Tensor) -> Tensor:
    """Convert the 16-bit types of autocast to float32; float32 and float64 stay."""
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor
