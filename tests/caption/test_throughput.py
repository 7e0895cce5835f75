"""Training and decoding against literal references, in interleaved runs on one thread."""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from saccade.caption.config import CaptionData, CaptionFacts, Config
from saccade.caption.model import Teller
from saccade.caption.source import Captioned
from saccade.caption.trace import Sight
from saccade.pipeline.config import Run, TrainConfig
from saccade.pipeline.device import mixed_precision
from saccade.pipeline.train.loop import Learner
from saccade.words.search import beam_search
from saccade.words.symbols import BEGIN, END
from tests.caption.literal import LiteralTeller, literal_step

WORDS = 2500
CONFIG = Config(hidden=512, embedding=256, features=512, dropout=0.5, smoothing=0.1, doubly=0.1)
FACTS = CaptionFacts("a", "", 7, 7, 1280, words=tuple(f"w{i}" for i in range(WORDS)))


class Invented:
    """Pictures and captions by chance, with Flickr8k's sizes and lengths of captions, put together by length."""

    facts, examples, device = FACTS, 6000, torch.device("cpu")

    def batch(self, step: int, size: int) -> Captioned:
        random = np.random.default_rng(step)
        vectors = torch.randn(size, 49, 1280).relu().bfloat16()
        lengths = np.clip(random.normal(10.8 + random.normal(0, 1.2), 3.3, (size, 5)).round().astype(int), 2, 30)
        words = np.zeros((size, 5, lengths.max() + 1), np.int64)
        for place, length in zip(words.reshape(-1, words.shape[2]), lengths.ravel(), strict=True):
            place[:length], place[length] = random.integers(4, WORDS, length), END
        return Captioned(vectors, torch.from_numpy(words), torch.arange(size), None)

    def held_out(self, split: str) -> Captioned:
        return self.batch(0, 100)


def seconds(step: Callable[[], object]) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start


@pytest.mark.bench
@pytest.mark.parametrize(("precision", "bar"), [("fp32", 1.5), ("bf16", 2.0)])
def test_training_is_several_times_faster_than_the_literal_reference(precision, bar) -> None:
    if precision == "bf16" and mixed_precision("auto", torch.device("cpu")) != "bf16":
        pytest.skip("this processor does not multiply bf16 natively; the default precision is fp32 here")
    torch.set_num_threads(1)
    source = Invented()
    train = TrainConfig(epochs=1000, batch_size=64, learning_rate=1e-4, precision=precision)
    learner = Learner(Run("caption", CaptionData(), CONFIG, train), source)
    literal = LiteralTeller(WORDS + 4)
    optimizer = torch.optim.Adam(literal.parameters(), lr=1e-4)

    def reference(step: int) -> None:
        batch = source.batch(step, 64)
        target = batch.words.flatten(0, 1).t()
        words = torch.cat([torch.full_like(target[:1], BEGIN), target[:-1]])
        literal_step(literal, optimizer, batch.vectors.float().repeat_interleave(5, 0), words, target, 0.1)

    ratios = [seconds(lambda step=step: reference(step)) / seconds(learner.advance) for step in range(7)]
    middle = statistics.median(ratios[1:])
    print(f"\n{precision}: {middle:.2f} x the literal reference ({min(ratios[1:]):.2f} ... {max(ratios[1:]):.2f})")
    assert middle >= bar


@pytest.mark.bench
def test_batched_beam_search_is_several_times_faster_than_one_picture_at_a_time() -> None:
    torch.manual_seed(0)
    core = Teller(CONFIG, FACTS).eval()
    with torch.no_grad():
        core.output_bias[END] += 1.0  # sentences of some ten words, not all of the longest
    vectors = Invented().batch(0, 100).vectors
    most = torch.full((100,), 16)
    search = lambda part, longest: beam_search(core, core.logits, Sight(part), longest, beams=5)  # noqa: E731

    def one_by_one() -> None:
        for i in range(20):
            search(vectors[i : i + 1], most[:1])

    ratios = [5 * seconds(one_by_one) / seconds(lambda: search(vectors, most)) for _ in range(3)]
    print(f"\nbeam search: {statistics.median(ratios):.1f} x one picture at a time")
    assert statistics.median(ratios) >= 2
