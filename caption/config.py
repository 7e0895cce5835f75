"""Settings of Show, Attend and Tell, of its pictures and captions, and what a network remembers of them. Torch-free."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from saccade.pipeline.config import STRICT, TrainConfig
from saccade.pipeline.systems import Facts, Metric, Spec
from saccade.words.vocabulary import Vocabulary

LAYOUTS = ("flickr8k", "karpathy", "folder")
"""Layouts of pictures with captions on disk."""

SCENES = "scenes"
"""The embedded dataset."""


@dataclass(frozen=True, config=STRICT)
class CaptionData:
    """The pictures and their captions."""

    dataset: str = SCENES
    """Dataset: scenes (embedded: two digits, and where they are), flickr8k or flickr8k:PATH, karpathy:FILE.json, or
    folder:PATH with pictures and a captions.csv."""

    data_dir: str | None = None
    """Folder of the data, if the dataset names none; without it SACCADE_DATA. For karpathy: folder of the pictures."""

    encoder: str = "efficientnet-lite2"
    """Trained CNN that looks at photographs: efficientnet-lite0, -lite1, -lite2, or timm:NETWORK with
    --encoder-weights."""

    encoder_weights: str | None = None
    """File of the weights of a timm:NETWORK."""

    features_dir: str | None = None
    """Folder that keeps what the CNN computed; by default ~/.cache/saccade/features."""

    least_count: int = Field(default=5, ge=1, le=1000)
    """Times that a word has to occur in the training captions to be in the vocabulary; others are unknown words."""

    longest: int = Field(default=40, ge=1, le=1000)
    """Most words of a training caption; longer ones are left out, and the training says how many."""

    captions: int = Field(default=5, ge=1, le=100)
    """Captions of a picture in one batch."""

    flip: bool = False
    """Augmentation: mirror half of the training photographs, left to right."""

    scenes: int = Field(default=6_000, ge=1, le=10_000_000)
    """Training scenes in an epoch (scenes)."""

    held_out: int = Field(default=1_000, ge=1, le=100_000)
    """Scenes in the test set and in the validation set, the same in every run (scenes)."""

    @field_validator("dataset")
    @classmethod
    def _known(cls, dataset: str) -> str:
        layout, colon, path = dataset.partition(":")
        if dataset in (SCENES, "flickr8k") or (layout in LAYOUTS and colon and path and dataset.isprintable()):
            return dataset
        raise ValueError(f"{SCENES}, flickr8k, flickr8k:PATH, karpathy:FILE.json or folder:PATH")

    @field_validator("encoder")
    @classmethod
    def _encoder(cls, encoder: str) -> str:
        if encoder in ENCODERS or (encoder.startswith("timm:") and encoder != "timm:" and encoder.isprintable()):
            return encoder
        raise ValueError(f"one of {', '.join(ENCODERS)}, or timm:NETWORK")


ENCODERS = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")


def _words(words: tuple[str, ...]) -> tuple[str, ...]:
    """Check the words of a vocabulary."""
    from saccade.errors import InputError

    try:
        Vocabulary(words)
    except InputError as error:
        raise ValueError(error.expected) from None
    if not all(word.isprintable() for word in words):
        raise ValueError("printable words")
    return words


@dataclass(frozen=True, config=STRICT)
class CaptionFacts(Facts):
    """Encoder of the pictures, and the vocabulary."""

    encoder: str
    """Name of the CNN; "scenes" for the small one that is trained with the decoder."""

    fingerprint: str = Field(max_length=64)
    """Hash of the CNN's weights and of how pictures are prepared; empty for scenes."""

    rows: int = Field(ge=1, le=256)
    """Height of the CNN's feature map."""

    columns: int = Field(ge=1, le=256)
    """Width of the feature map."""

    width: int = Field(ge=1, le=65536)
    """Channels of the feature map, D."""

    words: Annotated[tuple[str, ...], AfterValidator(_words)] = Field(min_length=1, max_length=1_000_000)
    """The vocabulary, without the special symbols, the most frequent word first."""

    encoder_weights: str | None = None
    """File of the CNN's weights, if it came from the user."""

    @property
    def places(self) -> int:
        """Number of annotation vectors, L."""
        return self.rows * self.columns

    def describe(self) -> dict[str, str]:
        """Return rows for the model card."""
        looks = f"{self.encoder}: {self.rows} x {self.columns} places of {self.width} channels"
        return {"encoder": looks, "vocabulary": f"{len(self.words):,} words"}

    def differences(self, other: Facts) -> list[str]:
        """Return what differs in other facts, vocabularies by the first word that does."""
        assert isinstance(other, CaptionFacts)
        found = [line for line in super().differences(other) if not line.startswith("words: ")]
        if self.words != other.words:
            pairs = zip((*self.words, "(none)"), (*other.words, "(none)"), strict=False)
            at, (own, now) = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
            found.append(
                f"a vocabulary of {len(self.words)} words, now {len(other.words)}; word {at}: {own}, now {now}"
            )
        return found


@dataclass(frozen=True, config=STRICT)
class Config:
    """The decoder. The defaults suit scenes; experiments/caption_flickr8k.toml has settings for photographs."""

    attention: Literal["soft", "hard", "none"] = "soft"
    """Attention: soft (the mean over all places), hard (one place, by REINFORCE), or none (the mean picture)."""

    score: Literal["additive", "dot"] = "dot"
    """Score of a place: additive, a layer of tanh, as in the paper; or the dot product, several times faster."""

    core: Literal["lstm", "gru"] = "lstm"
    """Recurrent core."""

    hidden: int = Field(default=128, ge=1, le=16384)
    """Units of the core."""

    embedding: int = Field(default=64, ge=1, le=16384)
    """Size of a word's vector. The output layer has the same vectors."""

    features: int = Field(default=0, ge=0, le=65536)
    """Size of a learned projection of the annotation vectors, a rectified layer; 0: the vectors as they are, as in the
    paper."""

    scored: int = Field(default=128, ge=1, le=16384)
    """Units of the layer of tanh (additive)."""

    gate: bool = True
    """Weigh what is seen by the gate beta, section 4.2.1."""

    doubly: float = Field(default=0.0, ge=0)
    """Weight lambda of the doubly stochastic penalty: over a caption each place gets attention 1 (equation 14)."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the output layer's input that is dropped in training."""

    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of each word vector that is dropped in training."""

    feature_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the projected channels that is dropped in training, for all words of a picture together."""

    objective: Literal["likelihood", "bleu"] = "likelihood"
    """Objective: likelihood, of people's captions; or bleu, of captions that the network draws itself, by REINFORCE.
    The second goes on from a network of the first, see --start-from."""

    rollouts: int = Field(default=5, ge=2, le=1000)
    """Captions that are drawn for each picture (bleu); the baseline of each is the mean BLEU of the others."""

    smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Label smoothing: probability that is spread evenly over the vocabulary."""

    reinforce_weight: float = Field(default=1.0, ge=0)
    """Weight lambda_r of REINFORCE (hard)."""

    discount: float = Field(default=1.0, ge=0, le=1)
    """Weight of the next word's log-probability in a place's reward, of the one after it the square, ... (hard). 1 is
    the paper's; with less the reward is less noisy."""

    entropy_weight: float = Field(default=0.01, ge=0)
    """Weight lambda_e of the attention's entropy (hard)."""

    sampled: float = Field(default=0.5, gt=0, le=1)
    """Fraction of the steps at which a place is sampled in training; the others see the mean (hard)."""

    looks: Literal["most", "mean"] = "most"
    """Input of hard attention when it writes: the most probable place, or the mean over all places."""

    beams: int = Field(default=5, ge=1, le=100)
    """Sentences that a beam search writes at once."""

    length_penalty: float = Field(default=1.0, ge=0, le=10)
    """Exponent of the length by which a sentence's log-probability is divided; 0 prefers short sentences."""

    most_words: int = Field(default=30, ge=1, le=1000)
    """Most words of a written sentence."""

    @model_validator(mode="after")
    def _objective_fits(self) -> Self:
        if self.objective == "bleu" and self.attention == "hard":
            raise ValueError("attention of soft or none for the objective bleu: the words are what is drawn")
        return self


SPEC = Spec(
    config=Config,
    data=CaptionData(),
    facts=CaptionFacts,
    unit="pictures",
    learning_term="words",
    metrics=(
        Metric(
            "bleu_4",
            "BLEU-4",
            "BLEU-4",
            "BLEU-4 of sentences that the network wrote itself.",
            better="higher",
            optional=True,
        ),
        Metric("bleu_1", "BLEU-1", better="higher", optional=True),
        Metric("cider", "CIDEr-D", better="higher", optional=True),
        Metric("exact_percent", "exactly right", "% exact", better="higher", optional=True),
        Metric("perplexity", "perplexity, true words read"),
    ),
    train=TrainConfig(epochs=10, batch_size=64, learning_rate=5e-3, optimizer="muon", clip=5.0),
)
