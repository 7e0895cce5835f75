"""Input that nobody thinks of: one clear line, the right exit code, no traceback."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from saccade.errors import InputError
from saccade.images.picture_files import decode, open_image
from saccade.pipeline import memory
from saccade.pipeline.config import TrainConfig

HUGE = str(2**64)
SHIPPED = "ram-mnist"


def run(*words: str, place: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if name != "SACCADE_DEBUG"} | environment
    command = [sys.executable, "-m", "saccade", *words]
    return subprocess.run(command, cwd=place, env=clean, capture_output=True, text=True, errors="replace", check=False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["draw", "generate", "--seed", HUGE], "'--seed'"),
        (["draw", "gif", "draw-mnist", "--seed", HUGE], "'--seed'"),
        (["draw", "complete", "draw-mnist", "one.png", "--seed", HUGE], "'--seed'"),
        (["glimpse", "train", "--seed", HUGE], "for --seed"),
        (["gradients", "--seed", HUGE], "'--seed'"),
        (["reproduce", "table.toml", "--seeds", HUGE], "seeds of at most"),
        (["reproduce", "table.toml", "--seeds", "9" * 5000], "different whole numbers"),
        (["reproduce", "table.toml", "--seeds", ""], "different whole numbers"),
        (["reproduce", "table.toml", "--rows", ""], "rows of table.toml, found ''"),
        (["reproduce", "table.toml", "--rows", "one,,"], "rows of table.toml, found ''"),
        (["glimpse", "eval", "x" * 300], "a run folder, found no folder xxx"),
        (["glimpse", "eval", "a\0b"], "null byte"),
        (["glimpse", "read", "x" * 300 + ".png"], "found no such file"),
        (["draw", "generate", "--out", "x" * 300 + ".png"], "a file name of at most 200 bytes"),
        (["glimpse", "train", "--out", "x" * 300], "too long"),
        (["glimpse", "train", "--config", "x" * 300], "too long"),
        (["glimpse", "gif", SHIPPED, "--count", "10000"], "'--count'"),
        (["baseline", "gif", "RUN", "--count", "10000"], "'--count'"),
        (["glimpse", "read", *["one.png"] * 401, "--gif", "a.gif"], "at most 400 images"),
        (["glimpse", "read", *["one.png"] * 2001], "at most 2,000 images"),
    ],
)
def test_strange_values(refused: Callable[..., str], place: Path, digit: Path, words: list[str], says: str) -> None:
    Image.open(digit).save(place / "one.png")
    (place / "table.toml").write_text('[rows.one]\nsystem = "adding"\n')
    assert says in refused(*words)
    assert sorted(path.name for path in place.iterdir()) == ["one.png", "table.toml"]


def test_a_toml_file_with_a_byte_order_mark_is_read(saccade: Any, place: Path) -> None:
    (place / "run.toml").write_bytes(b"\xef\xbb\xbf[model]\nglimpses = 3\n")
    answer = saccade("glimpse", "train", "--config", "run.toml", "--show-config")
    assert answer.code == 0 and "glimpses = 3" in answer.out


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_tiff_whose_pixels_are_no_numbers(refused: Any, place: Path, value: float) -> None:
    pixels = np.full((40, 40), 1.0, np.float32)
    pixels[10:30, 18:22] = 0.0
    pixels[0, 0] = value
    Image.fromarray(pixels).save(place / "a.tiff")
    assert "NaN or infinite" in refused("glimpse", "read", "a.tiff")


@pytest.mark.parametrize("most", [1.0, 255.0, 65535.0])
def test_a_tiff_of_floating_point_pixels_is_scaled(tmp_path: Path, most: float) -> None:
    levels = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    Image.fromarray(levels * most).save(tmp_path / "a.tiff")
    with open_image(tmp_path / "a.tiff") as image:
        found = decode(image, tmp_path / "a.tiff", "L")
    assert abs(found - levels * 255).max() <= 1


@pytest.mark.parametrize("environment", [{"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}])
def test_a_terminal_that_shows_ascii_only(place: Path, environment: dict[str, str], measured: Path) -> None:
    for words in (["glimpse", "--help"], ["models"], ["glimpse", "eval", str(measured)], ["glimpse", "eval", "é.✓"]):
        done = run(*words, place=place, **environment)
        assert done.returncode == (2 if "é.✓" in words else 0), done
        assert "Traceback" not in done.stderr and "this is a bug" not in done.stderr, done
    assert "no folder " in done.stderr


@pytest.mark.parametrize("wait", [0.25, 0.5, 0.8])
def test_control_c_within_the_first_second(tmp_path: Path, wait: float) -> None:
    command = [sys.executable, "-m", "saccade", "glimpse", "train", "--epochs", "1000", "--out", str(tmp_path / "run")]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as child:
        time.sleep(wait)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (130, "")
    assert err.splitlines()[-1].startswith("saccade: stopped") and "Traceback" not in err, err


def test_a_users_own_draw_py_is_not_imported(tmp_path: Path) -> None:
    for folder in (tmp_path / "path", tmp_path / "here"):
        folder.mkdir()
        for name in ("draw", "glimpse", "baseline", "adding", "cli"):
            (folder / f"{name}.py").write_text("raise RuntimeError('a user has this file too')\n")
    for words in (["draw", "generate", "--count", "1", "--out", "a.png"], ["glimpse", "train", "--show-config"]):
        done = run(*words, place=tmp_path / "here", PYTHONPATH=str(tmp_path / "path"))
        assert done.returncode == 0, done
    checkout = Path(memory.__file__).parents[2] / "cli.py"
    words = [sys.executable, str(checkout), "models"]
    done = subprocess.run(
        words, cwd=tmp_path / "here", env=os.environ | {"PYTHONPATH": str(tmp_path / "path")}, capture_output=True
    )
    assert done.returncode == 0, done


def test_a_network_that_the_memory_does_not_hold_is_refused_before_it_is_built(refused: Any, place: Path) -> None:
    said = refused("glimpse", "train", "--hidden", "16384", "--layers", "16", "--out", "big")
    assert "a network that fits into the " in said and " GB of memory that are free" in said
    assert "137" in said or "171" in said
    assert list(place.iterdir()) == []


def test_memory_is_counted_with_gradients_and_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    core: Any = lambda: torch.nn.Linear(999, 1000)  # noqa: E731
    for train, copies in ((TrainConfig(), 5), (TrainConfig(optimizer="muon"), 4), (TrainConfig(ema=0.9), 6)):
        bytes_needed = 4 * 1_000_000 * copies
        monkeypatch.setattr(memory, "free_memory", lambda _, n=bytes_needed: n / memory.SHARE)
        memory.check_room(core, train, torch.device("cpu"))
        monkeypatch.setattr(memory, "free_memory", lambda _, n=bytes_needed: n / memory.SHARE - 10)
        with pytest.raises(InputError, match=r"0\.0 GB for 1,000,000 parameters"):
            memory.check_room(core, train, torch.device("cpu"))
