"""Pairs of sentences in text files: FOLDER/train.de and FOLDER/train.en, a sentence a line; so for other names."""

import gzip
import os
import re
import zlib
from pathlib import Path
from typing import NamedTuple

from saccade.errors import InputError, shown
from saccade.words.vocabulary import tidy

VALIDATION = ("val", "valid", "validation", "dev")
"""Names of the validation files."""

MOST_FILE_BYTES = 4 << 30
"""Largest file, unpacked."""


class Corpus(NamedTuple):
    """Pairs of sentences under a name."""

    name: str
    sources: list[str]
    targets: list[str]


class Corpora(NamedTuple):
    """All pairs of a dataset."""

    train: Corpus
    validation: list[Corpus]
    test: list[Corpus]


def find_folder(name: str, data_dir: str | None) -> Path:
    """Return the folder of lines:NAME: in `data_dir` or `data_dir` itself; else NAME here, or in SACCADE_DATA.

    Raises:
        InputError: there is none.
    """
    path, root = Path(os.path.expanduser(name)), os.environ.get("SACCADE_DATA")
    if data_dir:
        given = Path(os.path.expanduser(data_dir))
        places = [*([] if path.is_absolute() else [given / path]), given / path.name, given]
    else:
        places = [path] + ([Path(root) / path] if root else [])
    for place in places:
        if place.is_dir():
            return place
    looked = " or ".join(str(place) for place in places[:2])
    raise InputError(f"a folder of text files at {looked}", "none", "name one as lines:FOLDER, or give --data-dir")


def load_lines(folder: Path, source: str, target: str) -> Corpora:
    """Read all pairs of two languages.

    Raises:
        InputError: no training files of these languages; files of different lengths; text that is not UTF-8; a damaged
            .gz file.
    """
    if source == target:
        raise InputError("two languages", f"{source} twice", "change --from or --to")
    names = sorted({stem for file in folder.iterdir() if (stem := _stem(file, source)) and _find(folder, stem, target)})
    if "train" not in names:
        there = sorted({match[1] for file in folder.iterdir() if (match := re.search(r"^train\.(\w+)", file.name))})
        found = f"train files of: {', '.join(there)}" if there else "no train files"
        do = "choose languages with --from and --to"
        raise InputError(f"train.{source} and train.{target}, plain or .gz, in {folder}", found, do)
    corpora = {name: _read(folder, name, source, target) for name in names}
    validation = [corpora[name] for name in names if name in VALIDATION]
    test = [corpora[name] for name in names if name.startswith("test")]
    return Corpora(corpora["train"], validation, test)


def _stem(file: Path, language: str) -> str | None:
    """Return `train` for the files train.de and train.de.gz of the language de."""
    for ending in (f".{language}", f".{language}.gz"):
        if file.name.endswith(ending):
            return file.name.removesuffix(ending)
    return None


def _find(folder: Path, stem: str, language: str) -> Path | None:
    files = (folder / f"{stem}.{language}", folder / f"{stem}.{language}.gz")
    return next((file for file in files if file.is_file()), None)


def _read(folder: Path, stem: str, source: str, target: str) -> Corpus:
    files = [_find(folder, stem, language) for language in (source, target)]
    sides = [read_sentences(file) for file in files if file is not None]
    if len(sides[0]) != len(sides[1]):
        found = f"{len(sides[0]):,} in {files[0]} and {len(sides[1]):,} in {files[1]}"
        raise InputError("as many lines in both files", found, "give files whose lines are translations of each other")
    if not sides[0]:
        raise InputError(f"sentences in {files[0]}", "an empty file", "give a file with a sentence a line")
    return Corpus(stem, *sides)


def read_sentences(file: Path) -> list[str]:
    """Read the lines of a UTF-8 file, plain or .gz, tidied.

    Raises:
        InputError: see `load_lines`.
    """
    try:
        with gzip.open(file, "rb") if file.suffix == ".gz" else open(file, "rb") as opened:
            data = opened.read(MOST_FILE_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"a text file, plain or .gz, at {file}", reason, "give a whole file") from error
    if len(data) > MOST_FILE_BYTES:
        raise InputError(f"at most {MOST_FILE_BYTES:,} bytes in {file}", "more", "give a part of it")
    return to_lines(data, str(file))


def to_lines(data: bytes, name: str) -> list[str]:
    """Return the lines of UTF-8 text, tidied; `name` says in errors where it is from.

    Raises:
        InputError: bytes that are not UTF-8; the error names the line.
    """
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    texts = []
    for number, line in enumerate(lines, 1):
        try:
            texts.append(tidy(line.decode("utf-8")))
        except UnicodeDecodeError as error:
            found = f"the byte {shown(line[error.start : error.start + 1], 10)} in line {number:,}"
            raise InputError(f"text in UTF-8 in {name}", found, "convert it to UTF-8") from None
    return texts
