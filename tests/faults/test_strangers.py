"""Files from strangers: refused in under a second and under 200 MB, in one line; none leads out of its folder."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from saccade.errors import InputError
from saccade.glimpse.config import SPEC
from saccade.images.class_folders import load_folder
from saccade.pipeline.checkpoint.atomic_files import lock
from saccade.pipeline.checkpoint.run_log import open_log
from saccade.pipeline.toml_config import read_run
from saccade.terminal import screen as terminal

SECONDS, MB = 1.0, 200.0


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures memory by Linux's /proc")
def test_every_one_is_refused_at_once_and_costs_little(tmp_path: Path) -> None:
    command = [sys.executable, str(Path(__file__).with_name("strangers.py")), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(found) > 30
    for case in found:
        print(f"{case['seconds']:6.3f} s {case['mb']:7.1f} MB  {case['name']}: {case['said'][:150]}")
    for case in found:
        assert case["said"].startswith("expected "), case
        assert case["said"].isprintable() and ", found " in case["said"], case
        assert case["seconds"] < SECONDS, case
        assert case["mb"] < MB, case
    assert not (tmp_path / "owned").exists()  # no pickle ran


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("years of work")
    (tmp_path / "run").mkdir()
    os.symlink(tmp_path / "precious", tmp_path / "run" / ".lock")
    with pytest.raises(InputError, match="a folder that can be written to"), lock(tmp_path / "run"):
        pass
    assert (tmp_path / "precious").read_text() == "years of work"


def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text('{"step": 9}\nyears of work')
    (tmp_path / "run").mkdir()
    os.symlink(tmp_path / "precious", tmp_path / "run" / "log.jsonl")
    with pytest.raises(InputError, match=r"log\.jsonl"):
        open_log(tmp_path / "run", 3)
    assert (tmp_path / "precious").read_text() == '{"step": 9}\nyears of work'


def test_a_log_goes_on_after_the_resumed_step(tmp_path: Path) -> None:
    lines = ['{"step": 1, "loss": 2.0}\n', '{"step": 5, "loss": 1.0}\n', '{"step": 8, "loss": 0.5}\n']
    cases = [("", 8, 3), ("", 5, 2), ("", 6, 2), ("", 0, 0), ('{"step": 9, "lo', 9, 3), ("garbage\n", 9, 3)]
    for cut, step, kept in cases:
        (tmp_path / "log.jsonl").write_text("".join(lines) + cut)
        with open_log(tmp_path, step) as log:
            log.write('{"step": 99}\n')
        assert (tmp_path / "log.jsonl").read_text() == "".join(lines[:kept]) + '{"step": 99}\n', (cut, step)


@pytest.mark.parametrize("name", ["..", "../x", "/x", "a/b", ".hidden", "", "a\nb", "x" * 101])
def test_a_rows_name_cannot_be_a_path(tmp_path: Path, name: str) -> None:
    path = tmp_path / "table.toml"
    path.write_text(f"[rows.{json.dumps(name)}.model]\nglimpses = 3\n")
    with pytest.raises(InputError, match="a plain name for every row"):
        read_run(path, "glimpse", SPEC, name)


def test_names_that_are_markup_are_shown_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    classes = ["[/x]", "[bold]"]
    terminal.show_metrics({"confusion": [[3, 0], [1, 2]], "dataset": "folder:[/y]"}, classes, "[/z]: 6 images")
    answer: Any = {"image": "[i].png", "label": "[/x]", "truth": None, "probabilities": {"[/x]": 0.9, "[bold]": 0.1}}
    terminal.show_answers([answer | {"gaze": [[0.0, 0.0]], "doubt": "[/d]", "digit": 1, "digits": 2}])
    out = capsys.readouterr().out
    for name in (*classes, "[/z]", "[/y]", "[i].png", "[/d]"):
        assert name in out


def test_a_folder_whose_name_commands_the_terminal_is_no_class(tmp_path: Path) -> None:
    for name in ("a", "b\x1b[2J"):
        (tmp_path / name).mkdir()
        for index in range(3):
            Image.new("L", (8, 8), index).save(tmp_path / name / f"{index}.png")
    with pytest.raises(InputError, match="printable names") as caught:
        load_folder(str(tmp_path))
    assert str(caught.value).isprintable()
