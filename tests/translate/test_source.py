"""The data: files of lines, numbers, batches, and what is refused."""

import gzip
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from saccade.errors import InputError
from saccade.translate.config import TranslateData
from saccade.translate.lines import find_folder, load_lines, to_lines
from saccade.translate.numbers import is_held_out, load_numbers
from saccade.translate.source import PairSource
from saccade.words.segmentation import Segmentations, cut
from saccade.words.subwords import Subwords
from saccade.words.symbols import END


def source_of(folder: Path, **settings: Any) -> PairSource:
    return PairSource(TranslateData(dataset=f"lines:{folder}", **settings), seed=0)


def test_files_are_read_plain_or_packed(folder: Path) -> None:
    (folder / "train.en.gz").write_bytes(gzip.compress((folder / "train.en").read_bytes()))
    (folder / "train.en").unlink()
    corpora = load_lines(folder, "de", "en")
    assert len(corpora.train.sources) == len(corpora.train.targets) == 60
    assert corpora.train.sources[0] == "Ein Hund läuft."
    assert [corpus.name for corpus in corpora.test] == ["test_a", "test_b"]
    assert [corpus.name for corpus in corpora.validation] == ["val"]


def test_lines_end_with_a_line_feed_alone() -> None:
    assert to_lines("a\r\nb\u2028c\x85d\n".encode(), "x") == ["a", "b c d"]
    assert to_lines(b"\xef\xbb\xbfa\n\nb", "x") == ["a", "", "b"]


def test_a_folder_is_found_where_the_data_lie(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_folder(str(folder), None) == folder
    assert find_folder(f"elsewhere/{folder.name}", str(folder.parent)) == folder.parent / folder.name
    assert find_folder("elsewhere", str(folder)) == folder
    monkeypatch.setenv("SACCADE_DATA", str(folder.parent))
    assert find_folder(folder.name, None) == folder
    with pytest.raises(InputError, match="a folder of text files"):
        find_folder("nowhere", None)


def damage(folder: Path, name: str, data: bytes | None) -> None:
    if data is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(data)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("train.en", b"one\n", "as many lines in both files, found 60 in"),
        ("test_a.de", b"gut\n\xff\xfe\n", "text in UTF-8 in .*line 2"),
        ("train.de", b"", "as many lines in both files, found 0 in"),
        ("train.en", None, "train.de and train.en.*found train files of: de"),
    ],
)
def test_bad_files_are_refused(folder: Path, name: str, data: bytes | None, message: str) -> None:
    damage(folder, name, data)
    with pytest.raises(InputError, match=message):
        source_of(folder)


def test_more_that_is_refused(folder: Path) -> None:
    for side in ("de", "en"):
        (folder / f"extra.{side}").write_text("x\n")
    (folder / "train.fr.gz").write_bytes(b"\x1f\x8b\x08 no gzip")
    with pytest.raises(InputError, match="two languages, found de twice"):
        source_of(folder, to="de")
    with pytest.raises(InputError, match=r"train\.de and train\.ru"):
        source_of(folder, to="ru")
    with pytest.raises(InputError, match=r"a text file, plain or .gz"):
        source_of(folder, to="fr")
    with pytest.raises(InputError, match="training pairs of 1 to 1 subwords"):
        source_of(folder, longest=2)
    for name in ("val.de", "val.en"):
        (folder / name).unlink()
    with pytest.raises(InputError, match=r"val\.de and val\.en for the validation split"):
        source_of(folder).held_out("validation")


def test_long_and_empty_training_pairs_are_left_out_with_a_warning(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for side in ("de", "en"):
        with open(folder / f"train.{side}", "a", encoding="utf-8") as file:
            file.write("Hund " * 200 + "\n" + ("" if side == "de" else "empty") + "\n")
    with caplog.at_level(logging.WARNING, "saccade"):
        source = source_of(folder)
    assert source.examples == 60
    assert "2 of 62 training pairs are left out" in caplog.text


def test_a_held_out_sentence_is_never_left_out(folder: Path) -> None:
    for side in ("de", "en"):
        with open(folder / f"test_a.{side}", "a", encoding="utf-8") as file:
            file.write("Hund " * 200 + "\n")
    with pytest.raises(InputError, match=r"fewer than 100 subwords in a sentence, found .* in sentence 3"):
        source_of(folder).held_out("test")


def test_an_epoch_has_every_pair_once_and_batches_are_of_similar_length(folder: Path) -> None:
    source = source_of(folder)
    batches = [source.batch(step, 10) for step in range(6)]
    assert sorted(number for batch in batches for number in batch.number.tolist()) == list(range(60))
    assert all(batch.target_lengths.max() - batch.target_lengths.min() <= 3 for batch in batches)
    for batch in batches:
        for row, length in zip(batch.target, batch.target_lengths, strict=True):
            assert row[length - 1] == END
            assert (row[length:] == 0).all()
    again = source_of(folder)
    for step in (8, 0, 3):
        assert all(torch.equal(a, b) for a, b in zip(source.batch(step, 10), again.batch(step, 10), strict=True))


def test_the_source_may_be_in_small_letters(folder: Path) -> None:
    lower, kept = source_of(folder), source_of(folder, lower="none")
    text = lambda source, leaf: source.subwords.decode([n for n in leaf.tolist() if n > 3])  # noqa: E731
    assert text(lower, lower.held_out("test").source[0]) == "ein hund läuft."
    assert text(lower, lower.held_out("test").target[0]) == "A dog runs."
    assert text(kept, kept.held_out("test").source[0]) == "Ein Hund läuft."


def test_words_are_cut_in_several_ways_that_spell_the_same(folder: Path) -> None:
    source = source_of(folder, segmentations=6, merge_dropout=0.3)
    plain = source_of(folder)
    texts, lengths = set(), set()
    for step in range(6):
        for number, row in zip(*(source.batch(step, 10)[i] for i in (4, 1)), strict=True):
            if plain._corpora.train.targets[int(number)] == "Two dogs run!":
                symbols = [n for n in row.tolist() if n > 3]
                texts.add(source.subwords.decode(symbols))
                lengths.add(len(symbols))
    assert texts == {"Two dogs run!"}
    assert len(lengths) > 1
    again = source_of(folder, segmentations=6, merge_dropout=0.3)
    assert torch.equal(again.batch(3, 10).target, source.batch(3, 10).target)
    assert torch.equal(source.held_out("test").target, plain.held_out("test").target), "held-out text is cut as usual"


def test_without_dropout_a_cut_is_the_usual_one() -> None:
    lines = ["der hund läuft zum hundehaus", "die hunde laufen, der hund bleibt"] * 3
    subwords = Subwords.learn(lines, 60)
    ways = Segmentations(subwords, lines, 2, 0.0, seed=0)
    for number, usual in enumerate(subwords.encode(lines)):
        assert ways.draw(number, [number] * len(ways.lines[number])) == usual
    generator = torch.Generator()
    assert cut("abc", {}, 0.0, generator) == ["a", "b", "c"]  # type: ignore[arg-type]


def test_numbers_are_spelt_and_test_numbers_are_not_trained() -> None:
    corpora = load_numbers("de", "en", 500)
    assert len(corpora.train.sources) == 500
    train, test = set(corpora.train.sources), set(corpora.test[0].sources)
    assert len(test) == 500, "different ones"
    assert not train & test
    assert not test & set(corpora.validation[0].sources)
    assert not any(is_held_out(number) for number in range(100))
    pairs = dict(zip(corpora.train.sources, corpora.train.targets, strict=True))
    assert pairs.get("sieben", "seven") == "seven"
    with pytest.raises(InputError, match="a language of num2words"):
        load_numbers("de", "xx", 10)
    with pytest.raises(InputError, match="two languages"):
        load_numbers("de", "de", 10)
