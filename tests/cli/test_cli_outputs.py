"""Files that a command writes: no input, no other output and no file of the user's is lost; checked before the work."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from saccade.pipeline import outputs, trained
from tests.cli.test_cli_bad_input import contents

PRECIOUS = b"years of work"


@pytest.fixture
def unopened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test fail if a network is loaded."""

    def opened(*arguments: Any, **options: Any) -> None:
        raise AssertionError("a network was loaded before the files were checked")

    monkeypatch.setattr(trained, "open_trained", opened)


@pytest.fixture
def mine(place: Path, digit: Path) -> Path:
    """A user's own picture and other files, in the folder where commands run."""
    shutil.copy(digit, place / "mine.png")
    (place / "other.gif").write_bytes(PRECIOUS)
    (place / "page.html").write_bytes(PRECIOUS)
    (place / "figure.png").write_bytes(PRECIOUS)
    os.symlink("mine.png", place / "link.png")
    os.link(place / "mine.png", place / "hard.png")
    return place / "mine.png"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("glimpse read mine.png --gif mine.png", "another file than the input for --gif, found mine.png"),
        ("glimpse read mine.png --strip mine.png", "another file than the input for --strip"),
        ("glimpse read mine.png --gif ./link.png", "another file than the input for --gif"),
        ("glimpse read mine.png --gif hard.png", "another file than the input for --gif"),
        ("glimpse read link.png --gif ../place/mine.png --overwrite", "another file than the input"),
        ("glimpse read mine.png --gif new.png --strip new.png", "different files for --gif and --strip"),
        ("glimpse read mine.png --gif other.gif", "a file that Saccade did not write; choose another name, or give"),
        ("glimpse read mine.png --gif new.bmp", "a file name that ends in one of .gif"),
        ("glimpse read mine.png --gif nowhere/new.gif", "a folder that is there, found none at nowhere"),
        ("glimpse read none.png --gif new.gif", "a picture at none.png, found no such file"),
        ("glimpse gif ram-mnist --out other.gif", "a file that Saccade did not write"),
        ("glimpse gif ram-mnist --out new.png --strip new.png", "different files for --out and --strip"),
        ("glimpse gif ram-mnist --out new.avi", "a file name that ends in one of .gif"),
        ("draw complete draw-mnist mine.png --out mine.png", "another file than the input for --out"),
        ("draw complete draw-mnist mine.png --mask hard.png --strip hard.png", "another file than the input"),
        ("draw generate --out same.png --gif same.png", "different files for --gif and --out, found same.png for both"),
        ("draw generate --out a.png --neighbours a.png", "different files for --out and --neighbours"),
        ("draw generate --gif runs/models/draw-mnist/sheet.png", "different files for --gif and --out"),
        ("draw generate --out mine.png", "a file that Saccade did not write"),
        ("draw generate --out link.png", "a file that Saccade did not write"),
        ("draw gif draw-mnist --out other.gif", "a file that Saccade did not write"),
        ("baseline gif RUN --out other.gif", "a file that Saccade did not write"),
        ("adding gif RUN --strip figure.png", "a run of the system adding"),
        ("gradients --out figure.png", "a file that Saccade did not write"),
        ("cores --out figure.png", "a file that Saccade did not write"),
        ("report ram-mnist --out page.html", "a file that Saccade did not write"),
        ("report ram-mnist --out page.txt", "a file name that ends in one of .html"),
    ],
)
def test_nothing_is_lost_and_no_network_loaded(
    refused: Callable[..., str], classifier: Path, mine: Path, unopened: None, words: str, says: str
) -> None:
    before = contents(mine.parent)
    assert says in refused(*(str(classifier) if word == "RUN" else word for word in words.split()))
    assert contents(mine.parent) == before
    assert sorted(path.name for path in mine.parent.iterdir()) == [
        "figure.png", "hard.png", "link.png", "mine.png", "other.gif", "page.html",
    ]  # fmt: skip


def test_the_same_command_again_replaces_its_own_files(
    saccade: Any, place: Path, digit: Path, trained: Path, drawn: Path
) -> None:
    for words in (
        ["glimpse", "read", digit, "--run", trained, "--gif", "a.gif", "--strip", "b.png"],
        ["glimpse", "read", digit, "--run", trained, "--gif", "c.webp"],
        ["glimpse", "gif", trained, "--out", "d.png"],
        ["draw", "generate", drawn, "--count", "2", "--out", "e.png"],
        ["gradients", "--steps", "4", "--updates", "0", "--out", "f.png"],
    ):
        for _ in range(2):
            answer = saccade(*words)
            assert answer.code == 0, answer
    assert all(outputs.has_mark(path) for path in place.iterdir())


def test_overwrite_replaces_a_file_of_the_users(saccade: Any, place: Path, digit: Path, trained: Path) -> None:
    (place / "old.gif").write_bytes(PRECIOUS)
    words = ["glimpse", "read", digit, "--run", trained, "--gif", "old.gif"]
    assert saccade(*words).code == 2
    assert (place / "old.gif").read_bytes() == PRECIOUS
    assert saccade(*words, "--overwrite").code == 0
    with Image.open(place / "old.gif") as film:
        assert film.format == "GIF"


def test_a_run_folder_is_saccades_own(tmp_path: Path, trained: Path) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    (run / "film.gif").write_bytes(PRECIOUS)
    assert outputs.check(run / "film.gif", outputs.FILM) == run / "film.gif"
    (tmp_path / "run.json").write_text('{"name": "another program"}')
    (tmp_path / "film.gif").write_bytes(PRECIOUS)
    assert not outputs.is_ours(tmp_path / "film.gif")
    (run / "link.gif").symlink_to(tmp_path / "film.gif")
    assert not outputs.is_ours(run / "link.gif")


def test_files_are_checked_before_torch_is_imported(place: Path) -> None:
    import subprocess

    code = "import sys; from saccade.cli import app\ntry: app(sys.argv[1:])\nexcept SystemExit as end: "
    code += "print(end.code, 'torch' in sys.modules)"
    for words in (
        ["draw", "generate", "--out", "x.jpg"],
        ["glimpse", "gif", "nowhere"],
        ["glimpse", "read", "none.png"],
        ["gradients", "--out", "nowhere/x.png"],
        ["glimpse", "train", "--config", "none.toml"],
        ["draw", "complete", "draw-mnist", "none.png"],
    ):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
        assert done.stdout.split() == ["2", "False"], (words, done)


def test_a_table_takes_no_file_of_the_users(refused: Any, place: Path) -> None:
    text = '[rows.one]\nsystem = "adding"\n'
    (place / "table.toml").write_text(text)
    (place / "table.md").write_bytes(PRECIOUS)
    assert "a file that Saccade did not write" in refused("reproduce", "table.toml", "--collect", "--results", ".")
    assert (place / "table.md").read_bytes() == PRECIOUS
    (place / "notes.md").write_text(text)
    assert "another file than the input" in refused("reproduce", "notes.md", "--collect", "--results", ".")
    assert (place / "notes.md").read_text() == text


def test_adding_a_network_replaces_nothing_else(refused: Any, place: Path, trained: Path) -> None:
    (place / "into" / "thesis").mkdir(parents=True)
    (place / "into" / "thesis" / "a.txt").write_bytes(PRECIOUS)
    words = ["models", "add", trained, "thesis", "--about", "x", "--into", place / "into", "--replace"]
    assert "a shipped network to replace, found something else" in refused(*words)
    assert (place / "into" / "thesis" / "a.txt").read_bytes() == PRECIOUS
