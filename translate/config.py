"""Settings of translation. Torch-free."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator
from pydantic.dataclasses import dataclass

from saccade.pipeline.config import STRICT, TrainConfig
from saccade.pipeline.systems import Facts, Metric, Spec


@dataclass(frozen=True, config=STRICT)
class TranslateData:
    """The pairs of sentences, and the subwords learned from them."""

    dataset: str = "numbers"
    """Dataset: numbers (embedded: numbers spelt in two languages), or lines:FOLDER with the files train.LANGUAGE,
    val.LANGUAGE and test*.LANGUAGE, a sentence a line, plain or .gz."""

    data_dir: str | None = None
    """Folder in which the FOLDER of lines: is looked for; without it SACCADE_DATA, then the current folder."""

    from_: str = Field(default="de", pattern=r"^[A-Za-z][A-Za-z_-]{0,19}$")
    """Language of the sentences that are read: the files' ending."""

    to: str = Field(default="en", pattern=r"^[A-Za-z][A-Za-z_-]{0,19}$")
    """Language of the sentences that are written."""

    subwords: int = Field(default=6000, ge=100, le=100_000)
    """Symbols of the subword vocabulary that both languages share; numbers learn at most 200."""

    lower: Literal["none", "source", "both"] = "source"
    """Letters that are made small: none; the source's, so that input without capitals is read as well; or both."""

    longest: int = Field(default=100, ge=2, le=2000)
    """Most subwords of a sentence; longer training pairs are left out with a warning, other sentences are refused."""

    segmentations: int = Field(default=1, ge=1, le=100)
    """Augmentation: number of ways to cut each training word into subwords (BPE dropout); 1: only the usual one."""

    merge_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Probability of leaving out a merge in the other ways to cut a word."""

    epoch_examples: int = Field(default=4000, ge=1, le=10_000_000)
    """Training pairs in an epoch (numbers)."""

    @field_validator("dataset")
    @classmethod
    def _known(cls, dataset: str) -> str:
        if dataset == "numbers" or (dataset.startswith("lines:") and dataset != "lines:" and dataset.isprintable()):
            return dataset
        raise ValueError("numbers or lines:FOLDER")


def _merge(text: str) -> str:
    if len(text.split(" ")) != 2:
        raise ValueError("a merge: two pieces with a space between them")
    return text


@dataclass(frozen=True, config=STRICT)
class TranslateFacts(Facts):
    """The languages and the subwords."""

    source: str = Field(min_length=1, max_length=20)
    """Language that is read."""

    target: str = Field(min_length=1, max_length=20)
    """Language that is written."""

    lower: Literal["none", "source", "both"] = Field()
    """Letters that are made small."""

    longest: int = Field(ge=2)
    """Most subwords of a sentence."""

    alphabet: str = Field(max_length=10_000)
    """Letters of the subwords."""

    merges: tuple[Annotated[str, AfterValidator(_merge)], ...] = Field(max_length=200_000)
    """Merges of the subwords, the first learned first."""

    @property
    def symbols(self) -> int:
        """Upper bound of the vocabulary's size, exact but for merges that give the same piece."""
        return 4 + len(self.alphabet) + len({merge.replace(" ", "") for merge in self.merges} - set(self.alphabet))

    def describe(self) -> dict[str, str]:
        """Return rows for the model card."""
        return {
            "languages": f"{self.source} to {self.target}",
            "subwords": f"{self.symbols:,}, of {len(self.alphabet)} letters; small letters: {self.lower}",
            "longest sentence": f"{self.longest} subwords",
        }

    def differences(self, other: Facts) -> list[str]:
        """Return what differs in the facts of other data, without the lists of subwords."""
        found = super().differences(other)
        short = [line for line in found if not line.startswith(("alphabet", "merges"))]
        return short + (["other subwords"] if len(short) < len(found) else [])


@dataclass(frozen=True, config=STRICT)
class Config:
    """The network: a bidirectional encoder, attention, a decoder."""

    cell: Literal["gru", "lstm"] = "gru"
    """Recurrent cell of the encoder and of the decoder."""

    attention: Literal["dot", "additive", "none"] = "dot"
    """Scores of the attention: dot product (Luong et al. 2015), additive (Bahdanau et al. 2015); none: the mean of what
    the encoder read, at every step."""

    input_feeding: bool = True
    """Give the decoder its last attentional vector as input (Luong et al. 2015, section 3.3)."""

    embedding: int = Field(default=256, ge=1, le=4096)
    """Width of the word vectors."""

    encoder: int = Field(default=256, ge=1, le=4096)
    """Units of the encoder in each direction."""

    hidden: int = Field(default=512, ge=1, le=4096)
    """Units of the decoder."""

    tied: Literal["all", "output", "none"] = "all"
    """Word vectors that are one matrix: all three; the decoder's input and output; none."""

    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Fraction of the word vectors', the encoder's and the attentional vectors' units that are dropped in training."""

    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Probability that the target distribution spreads over all symbols."""

    beams: int = Field(default=5, ge=1, le=100)
    """Beams of the search that evaluations use."""

    length_penalty: float = Field(default=1.0, ge=0, le=5)
    """Exponent of the length by which a sentence's score is divided in the search; 0 prefers short sentences."""


NOTE = (
    "BLEU of the first test set without case, beam search, sacreBLEU 13a; in the next columns with case, and the "
    "percentage of sentences that are exactly the reference."
)

SPEC = Spec(
    config=Config,
    data=TranslateData(),
    facts=TranslateFacts,
    unit="pairs",
    learning_term="nats_per_symbol",
    metrics=(
        Metric("bleu_lowercased", "measured", "BLEU", NOTE, better="higher", optional=True),
        Metric("bleu", "with case", "BLEU", better="higher", optional=True),
        Metric("exact_percent", "exact, %", better="higher", optional=True),
        Metric("perplexity", "perplexity"),
    ),
    train=TrainConfig(
        epochs=16, batch_size=128, learning_rate=2e-3, warmup=0.05, final_learning_rate=0.02, beta2=0.98, clip=1.0
    ),
)
