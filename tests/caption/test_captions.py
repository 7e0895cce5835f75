"""Layouts of pictures with captions, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from saccade.caption.captions import load_captions
from saccade.errors import InputError
from tests.caption.photographs import csv_folder, flickr8k, karpathy


def test_flickr8ks_layout_is_read(tmp_path: Path) -> None:
    folder = flickr8k(tmp_path / "f")
    for dataset, data_dir in ((f"flickr8k:{folder}", None), ("flickr8k", str(folder))):
        sets = load_captions(dataset, data_dir)
        assert [len(part) for part in sets] == [12, 3, 3]
        assert sets.train[1].file == folder / "images" / "1.png"
        assert sets.train[1].captions == ("A green picture .", "The picture is green , all green")


def test_the_original_names_of_flickr8ks_files_are_read(tmp_path: Path) -> None:
    folder = flickr8k(tmp_path / "f")
    (folder / "captions.txt").rename(folder / "Flickr8k.token.txt")
    (folder / "images").rename(folder / "Flicker8k_Dataset")
    for part in ("train", "dev", "test"):
        (folder / f"{part}.txt").rename(folder / f"Flickr_8k.{part}Images.txt")
    assert len(load_captions(f"flickr8k:{folder}", None).train) == 12


def test_karpathys_json_is_read(tmp_path: Path) -> None:
    sets = load_captions(f"karpathy:{karpathy(tmp_path / 'k')}", None)
    assert [len(part) for part in sets] == [3, 1, 1]
    assert sets.test[0].captions == ("A green picture.",)


def test_a_folder_is_read_and_split_by_a_fixed_seed(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "c")
    sets = load_captions(f"folder:{folder}", None)
    assert [len(part) for part in sets] == [16, 2, 2]
    assert sets == load_captions(f"folder:{folder}", None)
    assert all(len(photo.captions) == 2 for part in sets for photo in part)


def test_a_folders_own_splits_are_kept(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "c", 3)
    lines = ["image,caption,split", "0.png,a,train", "1.png,b,val", "2.png,c,test"]
    (folder / "captions.csv").write_text("\n".join(lines))
    assert [[photo.file.name for photo in part] for part in load_captions(f"folder:{folder}", None)] == [
        ["0.png"],
        ["1.png"],
        ["2.png"],
    ]


def edit(folder: Path, name: str, change: Callable[[str], str]) -> None:
    file = folder / name
    file.write_text(change(file.read_text()))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a caption without its picture": (lambda f: (f / "images" / "1.png").unlink(), "1.png, found no such file"),
    "a picture without a caption": (lambda f: edit(f, "train.txt", lambda t: t + "99.png\n"), "caption of 99.png"),
    "no tab": (lambda f: edit(f, "captions.txt", lambda t: "no tab here\n" + t), "a tab and a caption in line 1"),
    "another encoding": (lambda f: (f / "captions.txt").write_bytes(b"1.png#0\tcaf\xe9\n"), "UTF-8 in .* in line 1"),
    "no list": (lambda f: (f / "dev.txt").unlink(), "dev.txt or val.txt or Flickr_8k.devImages.txt"),
    "no training pictures": (lambda f: (f / "train.txt").write_text("\n"), "training pictures"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_flickr8k_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    folder = flickr8k(tmp_path / "f")
    break_it, message = BROKEN[name]
    break_it(folder)
    with pytest.raises(InputError, match=message) as caught:
        load_captions(f"flickr8k:{folder}", None)
    assert "\n" not in str(caught.value)


def test_broken_folders_are_refused(tmp_path: Path) -> None:
    folder = csv_folder(tmp_path / "c", 4)
    for text, message in (
        ("image,text\n0.png,a\n", "columns image and caption"),
        ("image,caption\n0.png,a\n1.png,b\n2.png,c\n", "a caption of every picture .* none of 3.png"),
        ("image,caption\n0.png\n", "an image and a caption in line 2"),
        ("image,caption,split\n0.png,a,train\n0.png,b,test\n", "one split of 0.png"),
        ("image,caption,split\n0.png,a,train\n1.png,b,\n2.png,c,test\n3.png,d,test\n", "a split for every picture"),
        ("image,caption,split\n0.png,a,yes\n1.png,b,train\n2.png,c,test\n3.png,d,test\n", "a split among"),
    ):
        (folder / "captions.csv").write_text(text)
        with pytest.raises(InputError, match=message):
            load_captions(f"folder:{folder}", None)


def test_broken_json_is_refused(tmp_path: Path) -> None:
    file = karpathy(tmp_path / "k")
    whole = json.loads(file.read_text())
    for text in ("{", "[]", '{"images": 3}', '{"images": [{"filename": 3}]}', "[" * 100_000):
        file.write_text(text)
        with pytest.raises(InputError, match='"images" with filename, split and sentences'):
            load_captions(f"karpathy:{file}", None)
    whole["images"][0]["split"] = "other"
    file.write_text(json.dumps(whole))
    with pytest.raises(InputError, match="a split among"):
        load_captions(f"karpathy:{file}", None)


def test_no_data_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SACCADE_DATA", raising=False)
    with pytest.raises(InputError, match="the folder of flickr8k"):
        load_captions("flickr8k", None)
    with pytest.raises(InputError, match="captions of Flickr8k"):
        load_captions(f"flickr8k:{tmp_path}", None)
