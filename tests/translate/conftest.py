"""A small language with its translations, and a small network that learned it; tests that change a run copy it."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest

import saccade

NOUNS = {"Hund": "dog", "Katze": "cat", "Maus": "mouse", "Käfer": "beetle", "Bär": "bear", "Vogel": "bird"}
VERBS = {"läuft": "runs", "schläft": "sleeps", "springt": "jumps", "singt": "sings"}
PLACES = {"hier": "here", "dort": "there", "im Haus": "in the house"}
COLOURS = {"rote": "red", "große": "big", "alte": "old"}

SMALL: dict[str, Any] = {"embedding": 48, "encoder": 48, "hidden": 96, "dropout": 0.1, "threads": 1, "subwords": 120}


def sentences() -> list[tuple[str, str]]:
    """All sentences of the language: the German verb comes second after a place, the English one last but one."""
    every = product(PLACES.items(), VERBS.items(), COLOURS.items(), NOUNS.items())
    pairs = [
        (
            f"{place[0].capitalize()} {verb[0]} der {colour[0]} {noun[0]}.",
            f"The {colour[1]} {noun[1]} {verb[1]} {place[1]}.",
        )
        for place, verb, colour, noun in every
    ]
    return sorted(pairs, key=lambda pair: sum(map(ord, pair[0])) * 7919 % 104729)  # mixed, the same each time


@pytest.fixture(scope="session")
def language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The language as a dataset of lines."""
    folder, pairs = tmp_path_factory.mktemp("data") / "language", sentences()
    folder.mkdir()
    for name, chosen in (("train", pairs[:180]), ("val", pairs[180:198]), ("test", pairs[198:])):
        for side, ending in enumerate(("de", "en")):
            (folder / f"{name}.{ending}").write_text("".join(f"{pair[side]}\n" for pair in chosen), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def run(language: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learned the language."""
    settings = SMALL | {"epochs": 22, "batch_size": 15, "learning_rate": 8e-3, "warmup": 0.2, "precision": "fp32"}
    settings["input_feeding"] = False  # with it so small a network learns the language by some seeds only
    out = tmp_path_factory.mktemp("runs") / "language"
    return saccade.train("translate", out=out, quiet=True, dataset=f"lines:{language}", **settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset of lines: two files for training, a validation set, two test sets."""
    pairs = [("Ein Hund läuft.", "A dog runs."), ("Zwei Hunde laufen!", "Two dogs run!"), ("Der Mann", "The man")] * 20
    for name, chosen in (("train", pairs), ("val", pairs[:3]), ("test_a", pairs[:2]), ("test_b", pairs[2:6])):
        for side, language in enumerate(("de", "en")):
            (tmp_path / f"{name}.{language}").write_text(
                "".join(f"{pair[side]}\n" for pair in chosen), encoding="utf-8"
            )
    return tmp_path
