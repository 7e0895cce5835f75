"""Pictures and captions as they lie on a disk: Flickr8k's layout, Karpathy's JSON, a folder with a captions.csv.

- flickr8k: `images/NAME.jpg`, `captions.txt` (or Flickr8k.token.txt) with lines NAME#NUMBER, a tab, the caption; and
  `train.txt`, `dev.txt`, `test.txt` (or Flickr_8k.trainImages.txt, ...) with a name a line;
- karpathy: one JSON file with "images", each with "filename", "split" and "sentences" that have "raw";
- folder: `captions.csv` with the columns image and caption, and split if wanted (train, validation, test); a picture
  has a line for each caption. Without split a tenth of the pictures is for validation and a tenth for testing.
"""

import csv
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from saccade.errors import InputError, shown
from saccade.pipeline.data.seeded_random import permutation

MOST_BYTES = 1 << 30
"""Largest file of captions, bytes; that of COCO has 150 MB."""

SPLITS = {"train": "train", "restval": "train", "val": "validation", "dev": "validation"}
SPLITS |= {"validation": "validation", "test": "test"}


class Photo(NamedTuple):
    """A picture and its captions."""

    file: Path
    captions: tuple[str, ...]


class Sets(NamedTuple):
    """Pictures for training, for choosing settings, and for the test."""

    train: list[Photo]
    validation: list[Photo]
    test: list[Photo]


def load_captions(dataset: str, data_dir: str | None) -> Sets:
    """Find the pictures and captions of a dataset, see `CaptionData.dataset`.

    Raises:
        InputError: missing or damaged files, a caption without its picture or a picture without a caption.
    """
    layout, _, path = dataset.partition(":")
    read = {"flickr8k": _flickr8k, "karpathy": _karpathy, "folder": _folder}[layout]
    sets = read(Path(path).expanduser() if path else None, Path(data_dir).expanduser() if data_dir else None)
    if not sets.train:
        raise InputError(f"training pictures in {dataset}", "none", "give some, or another split")
    missing = [photo.file for photos in sets for photo in photos if not photo.file.is_file()]
    if missing:
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise InputError(f"the picture of each caption, e.g. {missing[0]}", f"no such file{more}", "add or delete them")
    return sets


def _flickr8k(path: Path | None, data_dir: Path | None) -> Sets:
    folder = _first_folder([data_dir] if data_dir else [path] if path else _usual("flickr8k"), "captions of Flickr8k")
    captions_file = _either(folder, "captions.txt", "Flickr8k.token.txt")
    captions: dict[str, list[str]] = defaultdict(list)
    for number, line in enumerate(read_lines(captions_file), start=1):
        name, tab, caption = line.partition("\t")
        if not tab:
            raise InputError(f"NAME#NUMBER, a tab and a caption in line {number} of {captions_file}", shown(line), FIX)
        captions[name.rpartition("#")[0] or name].append(caption)
    images = next((folder / name for name in ("images", "Flicker8k_Dataset") if (folder / name).is_dir()), folder)
    sets = []
    for names in (("train.txt",), ("dev.txt", "val.txt"), ("test.txt",)):
        stem = names[0].removesuffix(".txt")
        listed = _either(folder, *names, f"Flickr_8k.{stem}Images.txt")
        sets.append([_photo(images / name, captions.get(name, []), listed) for name in read_lines(listed)])
    return Sets(*sets)


def _karpathy(path: Path | None, data_dir: Path | None) -> Sets:
    assert path is not None
    text = _read(path)
    try:
        entries = json.loads(text)["images"]
        found = [(_name(entry), entry["split"], [one["raw"] for one in entry["sentences"]]) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        found = f"{type(error).__name__}: {error!s:.60}"
        raise InputError(f'"images" with filename, split and sentences in {path}', found, FIX) from None
    folder = data_dir or next((place for place in (path.parent / "images", path.parent) if place.is_dir()), path.parent)
    sets = Sets([], [], [])
    for name, split, sentences in found:
        photo = _photo(folder / name, [sentence for sentence in sentences if isinstance(sentence, str)], path)
        _set_of(sets, split, path).append(photo)
    return sets


def _folder(path: Path | None, data_dir: Path | None) -> Sets:
    folder = data_dir or path
    assert folder is not None
    file = folder / "captions.csv"
    lines = csv.DictReader(read_lines(file))
    if not {"image", "caption"} <= set(lines.fieldnames or ()):
        raise InputError(f"columns image and caption in {file}", ", ".join(lines.fieldnames or ()) or "none", FIX)
    captions: dict[str, list[str]] = defaultdict(list)
    splits: dict[str, str | None] = {}
    for line in lines:
        image, caption, split = line["image"], line["caption"], line.get("split") or None
        if not image or caption is None:
            raise InputError(f"an image and a caption in line {lines.line_num} of {file}", shown(line), FIX)
        if splits.setdefault(image, split) != split:
            raise InputError(f"one split of {image} in {file}", f"{splits[image]} and {split}", FIX)
        captions[image].append(caption)
    unnamed = [entry.name for entry in folder.iterdir() if _is_picture(entry) and entry.name not in captions]
    if unnamed:
        do = "add a line for it, or move it away"
        raise InputError(f"a caption of every picture in {folder}", f"none of {min(unnamed)}", do)
    if len({split is None for split in splits.values()}) > 1:
        raise InputError(f"a split for every picture in {file}, or for none", "some without", FIX)
    sets = Sets([], [], [])
    names = list(captions)
    parts = _by_chance(names) if splits and None in splits.values() else splits
    for name in names:
        _set_of(sets, parts[name], file).append(_photo(folder / name, captions[name], file))
    return sets


FIX = "correct the file"


def _by_chance(names: list[str]) -> dict[str, str]:
    """Assign a tenth of the pictures each to validation and test, by a fixed seed."""
    order = permutation(0, "caption: split", 0, len(names)).tolist()
    tenth = max(1, len(names) // 10)
    parts = ["test"] * tenth + ["validation"] * tenth + ["train"] * len(names)
    return {names[i]: part for i, part in zip(order, parts, strict=False)}


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm")


def _name(entry: Any) -> str:
    """Return the path of a picture of Karpathy's JSON, below the folder of the pictures."""
    return os.path.join(entry.get("filepath", ""), entry["filename"])


def _photo(file: Path, captions: Sequence[str], listed: Path) -> Photo:
    if not captions:
        raise InputError(f"a caption of {file.name}, which is in {listed}", "none", "add one, or delete its line")
    return Photo(file, tuple(captions))


def _set_of(sets: Sets, split: Any, file: Path) -> list[Photo]:
    """Return the list of a split by any of its usual names."""
    if split not in SPLITS:
        raise InputError(f"a split among {', '.join(SPLITS)} in {file}", shown(split), FIX)
    return getattr(sets, SPLITS[split])


def _usual(name: str) -> list[Path]:
    """Return the folders in which a dataset is looked for."""
    given = os.environ.get("SACCADE_DATA")
    if not given:
        do = f"name it with --dataset {name}:PATH, --data-dir or SACCADE_DATA"
        raise InputError(f"the folder of {name}", "none", do)
    root = Path(given).expanduser()
    return [root / name, root]


def _first_folder(folders: Sequence[Path], what: str) -> Path:
    names = ("captions.txt", "Flickr8k.token.txt")
    for folder in folders:
        if any((folder / name).is_file() for name in names):
            return folder
    raise InputError(f"{what} ({' or '.join(names)}) in {folders[0]}", "no such file", "give the folder that has it")


def _either(folder: Path, *names: str) -> Path:
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise InputError(f"{' or '.join(names)} in {folder}", "no such file", "give the folder that has it")
    return found


def _read(file: Path) -> str:
    """Read a text file.

    Raises:
        InputError: no such file, a very large one, or no UTF-8.
    """
    try:
        if file.is_file() and file.stat().st_size > MOST_BYTES:
            raise InputError(f"a file of at most {MOST_BYTES >> 20} MiB", f"a larger {file}", "give the captions alone")
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"UTF-8 in {file}", f"another byte in line {line}", "save the file as UTF-8") from None
    except OSError as error:
        raise InputError(f"a file {file}", error.strerror or str(error), "give its path") from None


def read_lines(file: Path) -> list[str]:
    """Return the lines of a text file that are not empty, without spaces at their ends."""
    return [line.strip() for line in _read(file).split("\n") if line.strip()]
