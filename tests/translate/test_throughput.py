"""Training and searching at the recipe's size against the literal implementation, on one thread, interleaved."""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from saccade.pipeline.device import keep_freed_memory, mixed_precision
from saccade.recurrent.unroll import Unrolled
from saccade.translate.config import Config
from saccade.translate.model import EncoderDecoder, Writer, for_beams
from saccade.translate.pairs import Pairs, Source
from saccade.translate.system import SYSTEM
from saccade.words.search import beam_search

sys.path.insert(0, str(Path(__file__).parent))
from literal_translate import copy_of

SYMBOLS, BATCH, BEAMS, SENTENCES = 6000, 128, 5, 40


def seconds(work: Callable[[], object]) -> float:
    """Of the processor."""
    start = time.process_time()
    work()
    return time.process_time() - start


def sentences(count: int) -> Pairs:
    """Pairs of 12 to 17 symbols, as a batch of the recipe has them."""
    generator = torch.Generator().manual_seed(0)
    sides = []
    for _ in range(2):
        lengths = torch.randint(12, 18, (count,), generator=generator)
        symbols = torch.randint(4, SYMBOLS, (count, 17), generator=generator)
        places = torch.arange(17)
        sides += [symbols.masked_fill(places >= lengths[:, None], 0), lengths]
    return Pairs(sides[0], sides[2], sides[1], sides[3], torch.arange(count))


@pytest.mark.bench
@pytest.mark.parametrize(("precision", "bar"), [("fp32", 1.0), ("bf16", 2.0)])
def test_training_is_faster_than_the_literal_reference(precision: str, bar: float) -> None:
    if precision == "bf16" and mixed_precision("auto", torch.device("cpu")) != "bf16":
        pytest.skip("this processor does not multiply bf16 natively; the default precision is fp32 here")
    keep_freed_memory()
    torch.manual_seed(0)
    config = Config()
    core = EncoderDecoder(config, SYMBOLS)
    literal = copy_of(core, config.dropout).train()
    unrolled, batch, generator = Unrolled(core), sentences(BATCH), torch.Generator()
    ours, theirs = (torch.optim.Adam(model.parameters(), fused=True) for model in (core, literal))

    def finish(model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    def step() -> None:
        episode = SYSTEM.episode(batch, config, generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            outputs: Any = unrolled(episode.inputs, episode.context)
            loss = SYSTEM.loss(outputs, episode, config).total
        finish(core, ours, loss)

    def reference() -> None:
        words = SYSTEM.episode(batch, config, generator).inputs
        loss = literal.loss(batch.source, batch.source_lengths, words.previous, words.target, config.label_smoothing)
        finish(literal, theirs, loss)

    ratios, own = [], 0.0
    for _ in range(6):
        own = seconds(step)
        ratios.append(seconds(reference) / own)
    middle = statistics.median(ratios[1:])
    print(f"\n{precision}: {middle:.2f} x the literal reference ({min(ratios):.2f} ... {max(ratios):.2f})")
    print(f"{BATCH / own:.0f} pairs/s")
    assert middle >= bar


@pytest.mark.bench
def test_a_batched_search_is_faster_than_a_loop_over_sentences() -> None:
    """The loop keeps the beams of a sentence together; both search in fp32, ours in bf16 too."""
    torch.manual_seed(0)
    core = EncoderDecoder(Config(), SYMBOLS)
    with torch.no_grad():
        core.bias[3] = 1.0  # sentences end after some symbols, as those of a trained network
        core.vectors.weight.mul_(4)
    literal, batch = copy_of(core).eval(), sentences(8 * SENTENCES)
    most = torch.full((len(batch.source),), 15)

    def loop() -> None:
        for b in range(SENTENCES):
            literal.search(batch.source[b, : int(batch.source_lengths[b])], 15, BEAMS)

    def one_by_one() -> None:
        for b in range(SENTENCES):
            length = batch.source_lengths[b : b + 1]
            source = Source(batch.source[b : b + 1, : int(length)], length)
            beam_search(Writer(core), core.logits, source, most[:1], beams=BEAMS)

    def batched(narrow: bool) -> None:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            for part in torch.arange(len(batch.source)).split(80):
                source = Source(batch.source[part], batch.source_lengths[part])
                writer = Writer(core, many=True)  # as `Translator.write` searches
                beam_search(writer, core.logits, source, most[part], beams=BEAMS, spread=for_beams)

    batched(True)
    times = {
        name: statistics.median(seconds(work) for _ in range(3)) / count
        for name, work, count in (
            ("literal loop", loop, SENTENCES),
            ("ours, one by one", one_by_one, SENTENCES),
            ("batched, fp32", lambda: batched(False), len(most)),
            ("batched, bf16", lambda: batched(True), len(most)),
        )
    }
    for name, each in times.items():
        print(f"\n{name}: {1000 * each:.2f} ms a sentence", end="")
    assert times["literal loop"] / min(times.values()) >= 4
