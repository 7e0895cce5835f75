"""Folders of pictures with a text each: what is read, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from saccade.dram.config import SequenceData
from saccade.dram.folders import FolderSource, fitted, load_text_folder
from saccade.errors import InputError

TEXTS = ["12", "7", "340", "21", "4", "03", "1", "72", "3", "40"]


def write(folder: Path, texts: list[str], *, size: tuple[int, int] = (30, 20), mode: str = "L") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for i, text in enumerate(texts):
        level = 20 * i + 10
        Image.new(mode, size, level if mode == "L" else (level, 50, 90)).save(folder / f"{i}.png")
        lines.append(f"{i}.png\t{text}\n")
    (folder / "labels.txt").write_text("".join(lines))
    return folder


def load(folder: Path, **settings: object) -> FolderSource:
    data = SequenceData(dataset=f"folder:{folder}", canvas=28, **settings)  # type: ignore[arg-type]
    return load_text_folder(data, 0, torch.device("cpu"))


def test_pictures_and_texts_are_read(tmp_path: Path) -> None:
    source = load(write(tmp_path / "p", TEXTS * 3))
    assert source.facts.classes == tuple("012347") and (source.facts.shortest, source.facts.longest) == (1, 3)
    assert source.examples == 24 and len(source.held_out("test").number) == 6
    batch = source.batch(0, 24)
    assert batch.images.shape == (24, 1, 28, 28) and batch.places.isnan().all()
    for image, target, number in zip(batch.images, batch.targets, batch.number, strict=True):
        row = (int(image[0, 14, 14]) - 10) // 20 % 30
        text = "".join(source.facts.classes[k] for k in target[:number].tolist())
        assert text == (TEXTS * 3)[row] or row >= 12  # levels wrap after 12 pictures
        assert int(target[number]) == 6 and (target[number + 1 :] == -1).all()


def test_given_train_and_test_folders_are_the_sets(tmp_path: Path) -> None:
    write(tmp_path / "train", TEXTS)
    write(tmp_path / "test", ["12", "7"], mode="RGB")
    source = load(tmp_path)
    assert source.facts.channels == 3 and source.examples == 10 and source.held_out("test").number.tolist() == [2, 1]
    assert len(load(tmp_path, validation=3).held_out("validation").number) == 3


def test_a_picture_keeps_its_aspect_on_its_borders_colour() -> None:
    wide = np.full((10, 40), 200, np.uint8)
    wide[3:7, 10:30] = 20
    found = fitted(wide, 20)
    assert found.shape == (20, 20) and (found[:7] == 200).all() and (found[13:] == 200).all()
    assert (found[9, 7:13] < 60).all()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "labels.txt in .*none; write a line for each picture"),
        ("", "an empty list"),
        ("0.png 12\n", "a tab and a text of 1 to 20 symbols in line 1"),
        ("0.png\t\n", "line 1"),
        ("0.png\t" + 21 * "1" + "\n", "a text of 1 to 20"),
        ("0.png\t1\n../1.png\t2\n", "pictures inside"),
        ("0.png\t1\n" * 3, "at least 5 pictures"),
        ("0.png\t1\n" * 6 + "none.png\t1\n", "none.png"),
    ],
)
def test_bad_labels_are_refused(tmp_path: Path, labels: str | None, message: str) -> None:
    folder = write(tmp_path / "p", TEXTS)
    (folder / "labels.txt").unlink()
    if labels is not None:
        (folder / "labels.txt").write_text(labels)
    with pytest.raises(InputError, match=message):
        load(folder)


def test_labels_that_are_no_text_and_symbols_of_test_pictures_alone_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", TEXTS)
    (folder / "labels.txt").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match="UTF-8"):
        load(folder)
    write(tmp_path / "q" / "train", TEXTS)
    write(tmp_path / "q" / "test", ["9"])
    with pytest.raises(InputError, match="symbols that training pictures have"):
        load(tmp_path / "q")
    with pytest.raises(InputError, match="no such folder"):
        load(tmp_path / "none")


def test_batches_and_validation_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    source = load(write(tmp_path / "p", TEXTS))
    with pytest.raises(InputError, match="lower --batch-size"):
        source.batch(0, 9)
    with pytest.raises(InputError, match="none held out"):
        source.held_out("validation")
    with pytest.raises(InputError, match="change --validation"):
        load(tmp_path / "p", validation=8)
