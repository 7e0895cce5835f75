"""Vocabularies, subwords and BLEU."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.errors import InputError
from saccade.words.bleu import bleu
from saccade.words.subwords import Subwords
from saccade.words.symbols import SPECIAL, UNKNOWN
from saccade.words.vocabulary import Vocabulary, join_words, split_words, tidy

LINES = [
    "Ein Mann sitzt auf einer Bank.",
    "Zwei Männer sitzen (müde) auf Bänken, und eine Frau lacht.",
    "Die Straße ist naß – eine Frau läuft über die Straße!",
] * 5


@pytest.fixture(scope="module")
def subwords() -> Subwords:
    return Subwords.learn(LINES, 90)


def test_subwords_are_learned_the_same_each_time(subwords: Subwords) -> None:
    again = Subwords.learn(iter(LINES), 90)
    assert (again.alphabet, again.merges) == (subwords.alphabet, subwords.merges)
    assert len(subwords) == 90


def test_subwords_made_again_from_their_parts_are_the_same(subwords: Subwords) -> None:
    again = Subwords(subwords.alphabet, subwords.merges)
    assert again.encode(LINES) == subwords.encode(LINES)


def test_frequent_words_are_one_piece_and_marks_stand_alone(subwords: Subwords) -> None:
    pieces = subwords.pieces(subwords.encode(["eine Frau, eine Straße."])[0])
    assert pieces[0] == "▁eine"
    assert "," in pieces
    assert pieces[-1] == "."


@given(st.lists(st.sampled_from("Eine Straße (müde) läuft, und sitzt – Bänken!"), max_size=40).map("".join))
def test_text_of_known_letters_comes_back(subwords: Subwords, text: str) -> None:
    assert subwords.decode(subwords.encode([text])[0]) == tidy(text)


@given(st.text(max_size=40))
def test_any_text_is_encoded_and_nothing_vanishes(subwords: Subwords, text: str) -> None:
    numbers = subwords.encode([text])[0]
    assert (UNKNOWN in numbers) == bool(subwords.unknown(text))
    joined = "".join(word for word, _, _ in subwords.words_of(numbers))
    assert joined == subwords.decode(numbers).replace(" ", "")


def test_words_know_their_pieces(subwords: Subwords) -> None:
    numbers = subwords.encode(["Zwei Männer (müde), 漢字 sitzen."])[0]
    words = subwords.words_of(numbers)
    assert [word for word, _, _ in words][:6] == ["Zwei", "Männer", "(", "müde", ")", ","]
    assert words[-1] == (".", len(numbers) - 1, len(numbers))
    ends = [last for _, _, last in words]
    assert [first for _, first, _ in words] == [0, *ends[:-1]], "every piece belongs to one word"
    assert subwords.unknown("Zwei 漢字, 漢字, sitzen") == ["漢字,"]


@pytest.mark.parametrize(
    ("alphabet", "merges"), [("aa", []), ("ab", ["a c"]), ("ab", ["ab"]), ("ab", ["a b c"]), ("ab", ["<pad> a"])]
)
def test_damaged_subwords_are_refused(alphabet: str, merges: list[str]) -> None:
    with pytest.raises(InputError, match="as they were learned"):
        Subwords(alphabet, merges)


def test_numbers_of_other_subwords_are_refused(subwords: Subwords) -> None:
    with pytest.raises(InputError, match="numbers of 90 subwords"):
        subwords.decode([3, 90])


def test_a_vocabulary_of_words() -> None:
    counted = [["b", "c", "b"], ["a", "c", "d"]]
    assert Vocabulary.learn(counted).words == ("b", "c", "a", "d"), "the most frequent first, then by spelling"
    assert Vocabulary.learn(counted, most=3).words == ("b", "c", "a")
    vocabulary = Vocabulary.learn([split_words(line) for line in LINES], at_least=10)
    assert vocabulary.words == (".", "auf", "die", "eine", "frau", "straße")
    assert len(vocabulary) == len(SPECIAL) + len(vocabulary.words)
    numbers = vocabulary.encode(["eine", "Gans", "auf"])
    assert numbers == [7, UNKNOWN, 5]
    assert vocabulary.decode(numbers) == ["eine", "<unk>", "auf"]
    assert vocabulary.unknown(["Gans", "auf", "Gans", "<unk>"]) == ["Gans", "<unk>"]
    with pytest.raises(InputError, match="a vocabulary of"):
        vocabulary.decode([len(vocabulary)])


@pytest.mark.parametrize("words", [["a", "a"], ["<s>"], [""], ["a b"]])
def test_damaged_vocabularies_are_refused(words: list[str]) -> None:
    with pytest.raises(InputError, match="different words"):
        Vocabulary(words)


def test_words_are_split_and_joined() -> None:
    line = "A man's T-shirt says: “Über 3.5 (sic)!”"
    words = split_words(line, lower=False)
    assert words == ["A", "man's", "T-shirt", "says", ":", "“", "Über", "3", ".", "5", "(", "sic", ")", "!", "”"]
    assert join_words(["A", "dog", ",", "a", "(", "big", ")", "one", "."]) == "A dog, a (big) one."
    assert split_words("A dog, a cat.", punctuation=False) == ["a", "dog", "a", "cat"]


def test_bleu_is_the_formula() -> None:
    """Papineni et al. 2002, section 2.1: clipped counts over several references."""
    found = bleu(["the the the the the the the"], [["the cat is on the mat", "there is a cat on the mat"]], longest=1)
    assert found.precisions == (pytest.approx(100 * 2 / 7),)
    assert found.score == pytest.approx(100 * 2 / 7)
    two = bleu(["the cat sat", "a dog"], [["the cat sat down"], ["a dog", "one dog"]], longest=2)
    brevity = 2.718281828459045 ** (1 - 6 / 5)
    assert two.cumulative == (pytest.approx(100 * brevity), pytest.approx(100 * brevity))
    assert two.brevity_penalty == pytest.approx(brevity)


def test_bleu_names_its_settings() -> None:
    cased, lower = (bleu(["A Dog runs fast ."], [["a dog runs fast ."]], lower=lower) for lower in (False, True))
    assert lower.score == pytest.approx(100)
    assert cased.score < 50
    assert "case:lc" in lower.signature
    assert "tok:13a" in lower.signature


@pytest.mark.parametrize(("written", "references"), [([], []), (["a"], [[]]), (["a"], [["a"], ["b"]])])
def test_bleu_of_unequal_lists_is_refused(written: list[str], references: list[list[str]]) -> None:
    with pytest.raises(InputError, match="as many lists of references"):
        bleu(written, references)
