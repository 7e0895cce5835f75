"""A trained network: what it writes, in which order, and what it is measured at."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import saccade
from saccade.errors import InputError
from saccade.pipeline.trained import open_trained
from saccade.translate.config import SPEC
from saccade.translate.picture import align, picture
from saccade.translate.scores import Judged, by_length, scores
from saccade.translate.translator import Translator
from tests.translate.conftest import SMALL

SENTENCES = [
    "Dort singt der alte Bär.",
    "Im Haus schläft der große Vogel.",
    "Bär.",
    "Hier läuft der rote Käfer. Dort läuft der rote Hund.",
    "Hier springt der rote Hund.",
]


@pytest.fixture(scope="module")
def network(run: Path) -> Translator:
    opened = open_trained(run)
    assert isinstance(opened, Translator)
    return opened


def test_the_language_is_learned(network: Translator) -> None:
    metrics, wrote = network.evaluate("validation")
    assert metrics["exact_percent"]["val"] > 50
    assert metrics["bleu"]["val"] > 80
    assert metrics["perplexity"] < 1.5
    assert metrics["signature"].startswith("nrefs:1|case:mixed")
    assert wrote == [str(network.folder.path / "metrics-validation.json")]
    for metric in SPEC.metrics:
        assert metric.value(metrics) is not None


def test_the_order_is_kept_and_a_sentence_does_not_depend_on_the_others(network: Translator) -> None:
    together = network.write(SENTENCES)
    assert [one.source for one in together] == SENTENCES
    for sentence, one in zip(SENTENCES, together, strict=True):
        (alone,) = network.write(sentence)
        assert alone.text == one.text
        assert alone.candidates[0].score == pytest.approx(one.candidates[0].score, abs=1e-4)


def test_the_best_come_first(network: Translator) -> None:
    (one,) = network.write(SENTENCES[0], beams=4, candidates=3)
    values = [candidate.score for candidate in one.candidates]
    assert len(values) == 3 and values == sorted(values, reverse=True)
    assert one.text == one.candidates[0].text
    with pytest.raises(InputError, match="1 to 2 candidates"):
        network.write(SENTENCES[0], beams=2, candidates=3)


def test_capitals_and_spaces_do_not_matter(network: Translator) -> None:
    assert network.write("  dort singt  der ALTE bär. ")[0].text == network.write(SENTENCES[0])[0].text


def test_samples_depend_on_the_seed_and_not_on_the_batch(network: Translator) -> None:
    drawn = network.sample(SENTENCES, seed=3, temperature=1.5)
    assert [one.source for one in drawn] == SENTENCES
    assert [one.text for one in drawn] == [one.text for one in network.sample(SENTENCES, seed=3, temperature=1.5)]
    assert [one.text for one in drawn] != [one.text for one in network.sample(SENTENCES, seed=4, temperature=1.5)]
    sure = network.sample(SENTENCES, temperature=1e-6)
    assert [one.text for one in sure] == [one.text for one in network.write(SENTENCES, beams=1)]


def test_unknown_letters_are_told_and_unknown_scripts_are_refused(network: Translator) -> None:
    (one,) = network.write("Dort singt 漢字 der Bär. 漢字")
    assert one.unknown == ["漢字"]
    with pytest.raises(InputError, match="a sentence in the script of de, found no letter of it in sentence 2"):
        network.write(["Bär.", "Привет"])
    with pytest.raises(InputError, match="a sentence, found nothing in sentence 2"):
        network.write(["Bär.", "  "])
    with pytest.raises(InputError, match="fewer than 100 subwords"):
        network.write("Bär " * 10_000)
    with pytest.raises(InputError, match="a sentence, found none"):
        network.write([])


def test_a_trace_has_the_attention_of_what_was_written(network: Translator) -> None:
    trace = network.trace(SENTENCES[:3:2])
    grid = align(trace, 100, 0)
    assert " ".join(grid.written[:-1]).replace(" .", ".") == network.write(SENTENCES[0])[0].text
    assert grid.read == ["dort", "singt", "der", "alte", "bär", ".", "(end)"]
    np.testing.assert_allclose(grid.weights.sum(1), 1, atol=1e-3)
    frames = [picture(trace, t, 1) for t in range(3)]
    assert frames[0].shape == (720, 960, 3) and frames[0].dtype == np.uint8
    assert not np.array_equal(frames[0], frames[1])
    last = int(trace.batch.target_lengths[1]) - 1
    assert np.array_equal(picture(trace, last, 1), picture(trace, last + 5, 1))
    with pytest.raises(InputError, match="2 translations"):
        network.trace(SENTENCES[:2], ["one"])


def test_a_matrix_grows_word_by_word(network: Translator) -> None:
    trace = network.trace([SENTENCES[0]], ["The old bear"])
    sizes = [len(align(trace, t, 0).written) for t in range(int(trace.batch.target_lengths[0]))]
    assert sizes == sorted(sizes) and sizes[0] == 1
    assert align(trace, 100, 0).written == ["The", "old", "bear", "(end)"]


def test_scores_by_set_and_by_length() -> None:
    judged = Judged(["ein Hund", "a " * 9, "b " * 30], ["A dog is here .", "x y", "z"], ["a dog is here .", "x y", "w"])
    found = scores({"one": judged})
    assert found["exact_percent"] == {"one": pytest.approx(100 / 3)}
    assert list(by_length(judged)) == ["1_to_8", "9_to_12", "from_25"]
    assert found["bleu_lowercased"]["one"] > found["bleu"]["one"]


def test_resuming_is_bit_for_bit(tmp_path: Path, language: Path) -> None:
    settings = SMALL | {"epochs": 2, "batch_size": 60, "dataset": f"lines:{language}", "segmentations": 3, "ema": 0.9}
    whole = saccade.train("translate", out=tmp_path / "whole", quiet=True, **settings)
    run: Any = open_trained(whole).run
    from saccade.pipeline.checkpoint import checkpoints
    from saccade.pipeline.train.loop import train
    from saccade.pipeline.trained import load_data

    source, stops = load_data(run), iter([False, False, True])
    *_, half = train(run, source, stop=lambda: next(stops))
    *_, resumed = train(run, load_data(run), resume=half)  # type: ignore[arg-type]
    last = checkpoints.newest(whole)
    assert last is not None and half.step == 3 and resumed.step == last.step == 6
    for name, tensor in last.tensors.items():
        assert torch.equal(tensor, resumed.tensors[name]), name  # type: ignore[union-attr]
