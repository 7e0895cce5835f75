"""Trained networks: they write, are measured by what they write, resume bit for bit, and refuse what does not fit."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from saccade.caption import scenes
from saccade.caption.config import SPEC, CaptionData, Config
from saccade.caption.loss import drawn_bleu
from saccade.caption.scenes import SceneSource
from saccade.caption.source import PhotoSource
from saccade.caption.system import SYSTEM
from saccade.caption.writer import Writer, scores
from saccade.errors import InputError
from saccade.pipeline.animate import show
from saccade.pipeline.config import Run
from saccade.pipeline.session import train_run
from saccade.pipeline.train.loop import Learner
from saccade.pipeline.trained import open_trained
from saccade.recurrent.tree import count
from saccade.recurrent.unroll import unroll
from saccade.words.symbols import END
from tests.caption.photographs import averages, flickr8k, photograph

TINY = Config(hidden=16, embedding=8)


def run_of(data: CaptionData, model: Config = TINY, **train: object) -> Run[CaptionData, Config]:
    settings = {"batch_size": 6, "epochs": 1, "precision": "fp32", "optimizer": "adam", "threads": 1, **train}
    return Run("caption", data, model, replace(SPEC.train, **settings))  # type: ignore[arg-type]


@pytest.fixture(scope="module", autouse=True)
def _encoder() -> Iterator[None]:
    """The mean colours in place of EfficientNet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("saccade.caption.encoder.load_encoder", lambda name, weights=None: averages())
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flickr8k(tmp_path_factory.mktemp("photographs") / "f")


@pytest.fixture(scope="module")
def data(folder: Path) -> CaptionData:
    return CaptionData(f"flickr8k:{folder}", features_dir=str(folder / "store"), least_count=1, captions=2, flip=True)


@pytest.fixture(scope="module")
def writer(data: CaptionData, tmp_path_factory: pytest.TempPathFactory) -> Writer:
    """A network that has learned three colours."""
    out = tmp_path_factory.mktemp("runs") / "colours"
    train_run(run_of(data, epochs=60, learning_rate=2e-2), out)
    found = open_trained(out, "caption")
    assert isinstance(found, Writer)
    return found


def test_it_describes_photographs_that_it_never_saw(writer: Writer, tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.jpg" for i in range(3)]
    colours = [photograph(file, 100 + i) for i, file in enumerate(files)]
    telling = writer.write(files)
    for colour, sentences in zip(colours, telling.sentences, strict=True):
        assert sentences[0].text in (f"a {colour} picture", f"the picture is {colour} all {colour}")
        assert [one.score for one in sentences] == sorted((one.score for one in sentences), reverse=True)
    alone = writer.write(files[1]).sentences[0]
    assert [one.words for one in alone] == [one.words for one in telling.sentences[1]]


def test_its_trace_is_the_reading_of_its_own_sentence(writer: Writer, tmp_path: Path) -> None:
    photograph(tmp_path / "a.png", 5)
    telling = writer.write(tmp_path / "a.png")
    best = telling.sentences[0][0]
    target = telling.trace.episode.inputs.target[:, 0].tolist()
    assert writer.vocabulary.decode(target[: target.index(END)]) == best.words
    total = float(telling.trace.outputs.log_probability.sum())
    assert best.score == pytest.approx(total / (len(best.words) + 1), abs=1e-4)
    torch.testing.assert_close(telling.trace.outputs.weights[: len(best.words), 0].sum(1), torch.ones(len(best.words)))


def test_it_is_measured_by_its_own_sentences(writer: Writer, data: CaptionData) -> None:
    metrics, wrote = writer.evaluate("test")
    assert metrics["bleu_4_by_beams"].keys() == {"1", "3", "5"}
    assert metrics["bleu_1"] == metrics["bleu_1_by_beams"]["5"] > 80
    assert metrics["perplexity"] < 4 and metrics["signature"].startswith("nrefs:2")
    assert metrics["examples"] == 3 and wrote[0].endswith("metrics.json")
    source = writer.source()
    words = writer.written(source.held_out("test"), beams=5)
    other = source.held_out("test")
    other = other._replace(words=torch.full_like(other.words, END))  # the true captions are never read
    assert writer.written(other, beams=5) == words


def test_films_and_strips_show_every_word(writer: Writer, tmp_path: Path) -> None:
    source = writer.source()
    trace = writer.look(writer.held_out(source, "test", 0, 2))
    show.write_film(trace, tmp_path / "two.gif")
    one = writer.look(writer.held_out(source, "test", 0, 1))
    show.write_strip(one, tmp_path / "one.png")
    with Image.open(tmp_path / "two.gif") as film, Image.open(tmp_path / "one.png") as strip:
        assert film.n_frames > 3 and strip.width > 960  # type: ignore[attr-defined]


def test_light_falls_where_it_looks(writer: Writer) -> None:
    trace = writer.look(writer.held_out(writer.source(), "test", 0, 1))
    weights = torch.zeros_like(trace.outputs.weights)
    weights[:, :, 1] = 1  # the place at the upper right
    trace = trace._replace(outputs=trace.outputs._replace(weights=weights))
    frame, last = (SYSTEM.picture(trace, t, 0).astype(float) for t in (0, show.steps(trace) - 1))
    assert frame.shape == (540, 960, 3) and SYSTEM.tile(trace, 0, 0).shape == (304, 240, 3)
    lit, dark = frame[60:120, 420:480].mean(), frame[420:480, 60:120].mean()
    assert lit > 3 * dark
    assert last[420:480, 60:120].mean() > 3 * dark  # at the end the whole picture is seen


@pytest.mark.parametrize(
    "settings", [{"attention": "soft"}, {"attention": "hard"}, {"objective": "bleu"}], ids=["soft", "hard", "bleu"]
)
def test_a_resumed_training_equals_an_unbroken_one_bit_for_bit(data: CaptionData, settings: dict[str, Any]) -> None:
    model = replace(TINY, dropout=0.3, word_dropout=0.2, **settings)
    run = run_of(data, model, epochs=3)
    source = SYSTEM.load(run, torch.device("cpu"))
    whole = Learner(run, source)
    for _ in range(6):
        whole.advance()
    first = Learner(run, source)
    for _ in range(3):
        first.advance()
    second = Learner(run, source)
    second.restore(first.snapshot())
    for _ in range(3):
        second.advance()
    for name, tensor in whole.core.state_dict().items():
        assert torch.equal(tensor, second.core.state_dict()[name]), name


def test_a_reward_raises_the_bleu_of_what_it_draws(data: CaptionData, tmp_path: Path) -> None:
    """Captions that are drawn by the network's own probabilities become better, on test photographs too."""
    model = replace(TINY, objective="bleu", rollouts=50)

    def drawn(name: str) -> float:
        network = open_trained(tmp_path / name, "caption")
        batch = network.source().held_out("test")  # type: ignore[attr-defined]
        episode = SYSTEM.episode(batch, model, torch.Generator().manual_seed(0))
        rows = count(episode.inputs, axis=1)
        told, _ = unroll(network.core, episode.inputs, network.core.initial_state(rows), episode.context)
        assert episode.targets is not None
        return float(drawn_bleu(told, episode.targets).mean())

    train_run(run_of(data, epochs=25, learning_rate=2e-2), tmp_path / "begun")
    train_run(run_of(data, model, epochs=20, learning_rate=1e-2, start_from=str(tmp_path / "begun")), tmp_path / "bleu")
    assert drawn("bleu") > drawn("begun") + 0.1
    found = open_trained(tmp_path / "bleu", "caption")
    assert isinstance(found, Writer)
    metrics, _ = found.evaluate("test")
    assert metrics["bleu_1"] > 50 and metrics["perplexity"] < 1000
    with pytest.raises(ValueError, match="soft or none"):
        replace(model, attention="hard")


def test_batches_hold_every_picture_once_an_epoch_and_all_its_captions(data: CaptionData) -> None:
    source = PhotoSource(_sets(data), data, seed=3)
    for epoch in range(2):
        batches = [source.batch(2 * epoch + i, 6) for i in range(2)]
        assert sorted(n for batch in batches for n in batch.number.tolist()) == list(range(12))
        assert all(batch.words.shape[:2] == (6, 2) and (batch.words == END).sum() == 12 for batch in batches)
    again = PhotoSource(_sets(data), data, seed=3).batch(1, 6)
    assert torch.equal(again.vectors, source.batch(1, 6).vectors)
    with pytest.raises(InputError, match="at most the 12 training pictures"):
        source.batch(0, 13)


def _sets(data: CaptionData):
    from saccade.caption.captions import load_captions

    return load_captions(data.dataset, data.data_dir)


def test_another_encoder_and_another_vocabulary_are_refused(
    writer: Writer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph(tmp_path / "a.png", 5)
    monkeypatch.setattr("saccade.caption.encoder.load_encoder", lambda name, weights=None: averages("another one"))
    with pytest.raises(InputError, match="of fingerprint 0123456789abcdef, found another one"):
        writer.write(tmp_path / "a.png")
    monkeypatch.undo()
    monkeypatch.setattr("saccade.caption.encoder.load_encoder", lambda name, weights=None: averages())
    text = (folder / "captions.txt").read_text()
    (tmp_path / "other").mkdir()
    for entry in folder.iterdir():
        (tmp_path / "other" / entry.name).symlink_to(entry)
    (tmp_path / "other" / "captions.txt").unlink()
    (tmp_path / "other" / "captions.txt").write_text(text.replace("picture", "photo"))
    with pytest.raises(InputError, match="a vocabulary of 8 words, now 8; word"):
        writer.source(str(tmp_path / "other"))


def test_bad_pictures_and_captions_are_refused(writer: Writer, data: CaptionData, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(InputError, match="a picture in"):
        writer.write(tmp_path / "a.png")
    with pytest.raises(InputError, match="a picture at"):
        writer.write(tmp_path / "none.png")
    with pytest.raises(InputError, match="one picture or more"):
        writer.write([])
    sets = _sets(data)
    for caption, message in ((" ... ", "words in each caption"), ("word " * 10_000, "at most 40 words")):
        broken = sets._replace(train=[sets.train[0]._replace(captions=(caption,)), *sets.train[1:]])
        with pytest.raises(InputError, match=message):
            PhotoSource(broken, data, seed=0)
    with pytest.raises(InputError, match="words that occur 1000 times"):
        PhotoSource(sets, replace(data, least_count=1000), seed=0)
    with pytest.raises(InputError, match="pictures of the validation split"):
        PhotoSource(sets._replace(validation=[]), data, seed=0).held_out("validation")


def test_a_word_of_any_script_is_learned_or_known_as_unknown(data: CaptionData) -> None:
    sets = _sets(data)
    foreign = sets._replace(test=[sets.test[0]._replace(captions=("картина red ☃ 絵",))])
    source = PhotoSource(foreign, data, seed=0)
    assert source.references("test") == [[["картина", "red", "絵"]]]
    assert source.held_out("test").words[0, 0].tolist()[:1] == [1]  # unknown: it is there, and costs its probability


def test_scenes_are_the_same_in_every_run() -> None:
    source = SceneSource(CaptionData(scenes=100), seed=1)
    assert torch.equal(source.batch(3, 8).vectors, SceneSource(CaptionData(scenes=100), seed=1).batch(3, 8).vectors)
    assert torch.equal(
        source.held_out("test").vectors, SceneSource(CaptionData(scenes=50), seed=2).held_out("test").vectors
    )
    assert not torch.equal(source.held_out("test").vectors, source.held_out("validation").vectors)
    with pytest.raises(InputError, match="scenes of an epoch"):
        source.batch(0, 101)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("sizes", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_digits_of_a_scene_lie_apart_and_as_its_sentence_says(axis: int, sizes: tuple[int, int]) -> None:
    sides = [list(scenes.SIZES.values())[size] for size in sizes]
    for chances in itertools.product([0.0, 0.3, 0.9999], repeat=4):
        first, second = scenes._places(sizes, axis, list(chances))
        assert first[axis] + sides[0] <= second[axis], "the first is above or left"
        middles = [place[1 - axis] + side / 2 for place, side in zip((first, second), sides, strict=True)]
        assert abs(middles[0] - middles[1]) <= 13, "and nearly level"
        for place, side in zip((first, second), sides, strict=True):
            assert all(0 <= corner <= scenes.SIDE - side for corner in place)


def test_a_scenes_sentence_begins_with_the_larger_digit() -> None:
    for (sentence,) in SceneSource(CaptionData(scenes=100), seed=1).references("validation")[:300]:
        relation = sentence[3:-3]
        assert relation in (["above"], ["below"], ["left", "of"], ["right", "of"])
        assert sentence[1] == "large" or sentence[-2] == "small"
        if sentence[1] == sentence[-2]:
            assert relation in (["above"], ["left", "of"])


def test_a_network_for_scenes_is_measured_and_refuses_photographs(tmp_path: Path) -> None:
    out = tmp_path / "scenes"
    train_run(run_of(CaptionData(scenes=60, held_out=40), epochs=1, batch_size=30), out)
    network = open_trained(out, "caption")
    assert isinstance(network, Writer)
    metrics = network.measure(network.source(), "validation")
    assert 0 <= metrics["exact_percent"] <= 100
    photograph(tmp_path / "a.png", 1)
    with pytest.raises(InputError, match="a network that looks at photographs"):
        network.write(tmp_path / "a.png")


def test_scores_of_the_references_themselves_are_perfect() -> None:
    references = [[["a", "dog", "runs", "fast"]], [["two", "red", "birds", "sing", "here"]]]
    found = scores([several[0] for several in references], references, exact=True)
    assert found["bleu_4"] == pytest.approx(100) and found["exact_percent"] == 100
    assert found["cider"] == pytest.approx(1000)
