"""Files that a command is asked to write, checked before the work: nothing of the user's is lost. Torch-free.

A file may be written where there is none, and over one that Saccade wrote: it carries Saccade's mark, or lies in a run
folder or in runs/models/NAME. Any other file is kept unless the user says --overwrite. An output is never an input.
"""

import os
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from saccade.errors import InputError
from saccade.pipeline.checkpoint.locate import RESULTS, results_folder, results_path, shipped

FILM = (".gif", ".webp", ".png", ".apng")
SHEET = (".png",)
PAGE = (".html", ".htm")
"""Endings of the files that a film, a sheet or figure, and a page can be written to."""

MARK = b"Software: Saccade"
"""In every film, sheet, figure and page that Saccade writes (a comment or the metadata, as the format has it)."""

MARKED_WITHIN = 1 << 16
"""Bytes at a file's beginning or end among which the mark stands."""

LONGEST_NAME = 200
"""Bytes of a file name; file systems allow 255, and a temporary name is a little longer."""


def check(path: Path | str, endings: Sequence[str], *, overwrite: bool = False) -> Path:
    """Check that a file can be written and that nothing of the user's is lost; return the path. Call before the work.

    Raises:
        InputError: another ending, no folder to write into, something else than a file in the way, or a file that
            Saccade did not write and that `overwrite` does not give up.
    """
    path = Path(path)
    if path.suffix.lower() not in endings:
        known = ("one of " if len(endings) > 1 else "") + ", ".join(endings)
        raise InputError(f"a file name that ends in {known}", repr(path.name[-80:]), "choose another name")
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise InputError(f"a file name of at most {LONGEST_NAME} bytes", f"{path.name[:40]}...", "shorten it")
    if not path.parent.exists() and path.parent in map(results_path, shipped()):  # it is made when it is needed
        return path
    if not path.parent.is_dir():
        raise InputError("a folder that is there", f"none at {path.parent}", "make it, or write elsewhere")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError("a folder that can be written to", f"{path.parent}, which cannot", "write elsewhere")
    if os.path.lexists(path):
        if path.exists() and not path.is_file():
            found = f"a folder at {path}" if path.is_dir() else f"no regular file at {path}"
            raise InputError("a file to write", found, "write elsewhere")
        if not overwrite and not is_ours(path):
            found = f"{path}, a file that Saccade did not write"
            raise InputError("a new file", found, "choose another name, or give --overwrite to replace it")
    return path


def check_all(
    films: Mapping[str, Path | None] | None = None,
    sheets: Mapping[str, Path | None] | None = None,
    *,
    inputs: Sequence[Path | None] = (),
    overwrite: bool = False,
) -> None:
    """Check all files that a command is asked to write, by their options ({"--gif": gif}); None is not asked for.

    Args:
        inputs: files that the command reads.

    Raises:
        InputError: as `check`; or an output that is an input, or another output.
    """
    asked = [(option, path, FILM) for option, path in (films or {}).items() if path is not None]
    asked += [(option, path, SHEET) for option, path in (sheets or {}).items() if path is not None]
    for option, path, _ in asked:
        for given in inputs:
            if given is not None and same(path, given):
                raise InputError(f"another file than the input for {option}", str(path), "write to another name")
    for (option, path, _), (other, second, _) in combinations(asked, 2):
        if same(path, second):
            raise InputError(f"different files for {option} and {other}", f"{path} for both", "write to another name")
    for _, path, endings in asked:
        check(path, endings, overwrite=overwrite)


def make_folder_of(path: Path) -> None:
    """Make the folder of a file about a shipped network, in runs/models; other folders must be there.

    Raises:
        InputError: it cannot be made.
    """
    for folder in shipped():
        if path.parent == results_path(folder):
            results_folder(folder)


def check_inputs(files: Sequence[Path | None]) -> None:
    """Check that files that a command reads are there; what they hold is checked when they are read.

    Raises:
        InputError: no file of that name.
    """
    for path in files:
        try:
            there = path is None or os.path.lexists(path)
        except ValueError:  # a null character
            there = False
        if not there:
            raise InputError(f"a picture at {path}", "no such file", "give the path of one")


def same(one: Path, other: Path) -> bool:
    """Return True if two paths lead to one file, links included, whether it is there or not."""
    try:
        if os.path.samefile(one, other):
            return True
    except (OSError, ValueError):  # one of them is not there
        pass
    return os.path.realpath(one) == os.path.realpath(other)


def is_ours(path: Path) -> bool:
    """Return True if Saccade may replace the file there: it wrote it, or it lies in a run folder or runs/models/NAME.

    A link is not ours: its target is elsewhere.
    """
    if path.is_symlink():
        return False
    folder = path.parent.resolve()
    return folder.parent == RESULTS.resolve() or _is_run(folder) or has_mark(path)


def has_mark(path: Path) -> bool:
    """Return True if a file carries Saccade's mark."""
    try:
        with open(path, "rb") as file:
            start = file.read(MARKED_WITHIN)
            file.seek(max(0, path.stat().st_size - MARKED_WITHIN))
            return any(mark in part for mark in (MARK, b"Software\0Saccade") for part in (start, file.read()))
    except OSError:
        return False


def _is_run(folder: Path) -> bool:
    """Return True if a folder holds a run.json or a benchmark.json of Saccade's."""
    from saccade.pipeline.checkpoint.atomic_files import read_json

    for name, keys in (("run.json", {"format", "system", "train"}), ("benchmark.json", {"format", "dataset"})):
        try:
            if keys <= read_json(folder / name, name).keys():
                return True
        except InputError:
            continue
    return False
