"""A stranger's system, installed beside Saccade: found by its entry point, trained, resumed, measured, shown.

tests/fixtures/plugin holds a package without commands.py and the dist-info folder that pip would write for it; a child
process has both on its path. No file of Saccade knows it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import saccade
from saccade.errors import InputError
from saccade.pipeline import systems

PLUGIN = Path(__file__).parents[1] / "fixtures" / "plugin"
SOURCE = Path(saccade.__file__).parents[1]
LEARNING = ["--units", "6", "--most-bits", "7", "--threads", "1", "--ema", "0.9"]


class Child:
    """Runs commands in a folder, in processes whose path has the plug-in."""

    def __init__(self, place: Path, path: Path) -> None:
        self.place, place_on_path = place, os.pathsep.join([str(path), str(SOURCE)])
        self.environment = os.environ | {"PYTHONPATH": place_on_path, "COLUMNS": "160"}

    def start(self, *words: str | Path) -> subprocess.Popen[str]:
        """Start `saccade WORDS`."""
        command = [sys.executable, "-B", "-m", "saccade", *map(str, words)]
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=self.place, env=self.environment, **streams)

    def __call__(self, *words: str | Path, code: int = 0) -> tuple[str, str]:
        """Run `saccade WORDS`; what it wrote on its two streams."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=240)
        assert process.returncode == code, (words, out[-2000:], err[-2000:])
        return out, err


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Child:
    """A folder to stand in, and the plug-in installed elsewhere."""
    path = Path(shutil.copytree(PLUGIN, tmp_path_factory.mktemp("site") / "packages"))
    return Child(tmp_path_factory.mktemp("place"), path)


@pytest.fixture(scope="module")
def whole(child: Child) -> Path:
    """A finished run of the plug-in."""
    child("parity", "train", *LEARNING, "--out", "whole")
    return child.place / "whole"


def last(folder: Path) -> bytes:
    """The bytes of the newest checkpoint."""
    newest = max(folder.glob("checkpoint-*.safetensors"), key=lambda path: int(path.stem.split("-")[1]))
    return newest.read_bytes()


def test_this_process_and_saccades_own_files_do_not_know_it() -> None:
    assert "parity" not in systems.names()
    files = [path for package in ("saccade", "cli.py", "pyproject.toml") for path in walk(SOURCE / package)]
    assert len(files) > 50
    assert not [path for path in files if "parity" in path.read_text(encoding="utf-8").lower()]
    assert not (PLUGIN / "parity" / "commands.py").exists()


def walk(path: Path) -> list[Path]:
    """Python files below a folder, links followed."""
    if path.is_file():
        return [path]
    found = os.walk(path, followlinks=True)
    return [Path(folder, name) for folder, _, names in found for name in names if name.endswith(".py")]


def test_it_stands_in_the_help_with_its_verbs_and_settings(child: Child) -> None:
    shown, _ = child("--help")
    assert "parity" in shown and "odd number of ones so far" in shown
    shown, _ = child("parity", "--help")
    assert all(f" {verb} " in shown for verb in ("train", "eval", "gif"))
    shown, _ = child("parity", "train", "--help")
    for words in ("--units", "Units of the LSTM.", "--most-bits", "--learning-rate"):
        assert words in shown
    _, said = child("parity", "train", "--most-bits", "0", code=2)
    assert "found 0 for --most-bits" in said and said.count("\n") == 1
    _, said = child("paritty", code=2)
    assert said.count("\n") == 1


def test_a_run_says_what_it_is(whole: Path) -> None:
    text = json.loads((whole / "run.json").read_text())
    assert (text["format"], text["system"]) == (2, "parity")
    assert text["data"] == {"most_bits": 7, "sequences": 400}
    assert text["facts"] == {"most_bits": 7, "answers": ["even", "odd"]}
    log = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert log[-1]["step"] == log[-1]["steps"] == 40 and set(log[-1]["terms"]) == {"surprise"}


def test_it_is_refused_where_it_is_not_installed(whole: Path) -> None:
    with pytest.raises(InputError, match=r"a system of this Saccade: .*, found 'parity'") as error:
        saccade.load(whole)
    assert "\n" not in str(error.value)


def test_killed_and_resumed_it_ends_with_the_same_bits(child: Child, whole: Path) -> None:
    words = ["parity", "train", *LEARNING, "--save-every-seconds", "1e-4", "--out", "killed"]
    folder = child.place / "killed"
    for least in (3, 17):  # steps after which it is killed
        with child.start(*words) as process:
            deadline = time.monotonic() + 200
            while max((int(file.stem.split("-")[1]) for file in folder.glob("checkpoint-*")), default=0) < least:
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        assert process.returncode == -signal.SIGKILL, "it was killed before its end"
    _, said = child(*words)
    assert "has a checkpoint of step" in said
    assert last(folder) == last(whole)
    steps = [json.loads(line)["step"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps)) and steps[-1] == 40


def test_it_is_measured(child: Child, whole: Path) -> None:
    out, _ = child("parity", "eval", "whole", "--json")
    found = json.loads(out)
    assert found == json.loads((whole / "metrics.json").read_text())
    assert 0 <= found["error_percent"] <= 100 and found["examples"] == 50
    assert (found["system"], found["dataset"], found["step"]) == ("parity", "parity", 40)
    out, _ = child("parity", "eval", "whole")
    assert "50 test sequences" in out and f"{found['error_percent']:.2f}" in out
    out, _ = child("parity", "eval", "whole", "--split", "validation", "--json")
    assert json.loads(out)["split"] == "validation"


def test_it_learns(child: Child, whole: Path) -> None:
    child("parity", "train", "--units", "16", "--most-bits", "4", "--epochs", "40", "--threads", "1", "--out", "longer")
    found = json.loads(child("parity", "eval", "longer", "--json")[0])
    assert found["error_percent"] < 20 < json.loads(child("parity", "eval", "whole", "--json")[0])["error_percent"]


def test_it_is_shown(child: Child, whole: Path) -> None:
    out, _ = child("parity", "gif", "whole", "--index", "3", "--strip", "strip.png")
    assert (whole / "film-3.gif").read_bytes().startswith(b"GIF89a") and "film-3.gif" in out
    assert (child.place / "strip.png").read_bytes().startswith(b"\x89PNG")
    child("parity", "gif", "whole", "--count", "4", "--out", "wall.webp")
    assert (child.place / "wall.webp").read_bytes().startswith(b"RIFF")
    _, said = child("parity", "gif", "whole", "--index", "50", code=2)
    assert "examples 0 to 49 of the test split, found --index 50" in said


TABLE = """
system = "parity"
[data]
most_bits = 5
[train]
threads = 1
[rows.short]
paper_error_percent = 12.5
[rows.wide]
after = "short"
[rows.wide.train]
epochs = 1
"""


def test_a_row_of_a_table_is_reproduced(child: Child) -> None:
    (child.place / "table.toml").write_text(TABLE)
    out, _ = child("reproduce", "table.toml", "--seeds", "0,1", "--json")
    assert {run["status"] for run in json.loads(out)["runs"]} == {"trained"}
    lines = {line["row"]: line for line in json.loads((child.place / "runs/table/table.json").read_text())["lines"]}
    assert lines["short"]["paper"] == {"error_percent": 12.5} and lines["short"]["seeds"] == [0, 1]
    each = [
        json.loads((child.place / f"runs/table/short-seed-{seed}/metrics.json").read_text())["error_percent"]
        for seed in (0, 1)
    ]
    assert lines["short"]["measured"]["error_percent"]["each"] == each
    assert "wholly right" in lines["wide"]["measured"]
    text = (child.place / "runs/table/table.md").read_text()
    assert "Answers that are wrong, in percent of all bits." in text and "| short | 12.50 |" in text
    again, _ = child("reproduce", "table.toml", "--seeds", "0,1", "--json")
    assert {run["status"] for run in json.loads(again)["runs"]} == {"finished"}


API = """
import json, sys, saccade
run = saccade.train("parity", out="by-python", quiet=True, units=6, most_bits=7, threads=1, ema=0.9)
network = saccade.load(run)
trace = network.look(network.held_out(network.source(), "test", 0, 2))
saccade.film(trace, "by-python.gif")
told = {"systems": saccade.systems(), "class": type(network).__name__, "steps": len(trace.outputs)}
print(json.dumps(told | {"metrics": saccade.evaluate(run), "facts": network.facts.describe()}))
"""


def test_python_trains_loads_measures_and_shows_it(child: Child, whole: Path) -> None:
    command = [sys.executable, "-B", "-c", API]
    done = subprocess.run(command, cwd=child.place, env=child.environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert "parity" in told["systems"] and told["systems"] == sorted(told["systems"])
    assert (told["class"], told["steps"], told["facts"]["most bits"]) == ("Trained", 7, "7")
    assert last(child.place / "by-python") == last(whole)
    assert told["metrics"] == json.loads(child("parity", "eval", "whole", "--json")[0])
    assert (child.place / "by-python.gif").exists()


@pytest.mark.parametrize("package", ["ghosts", "ghosts.of.parity", "broken"])
def test_a_system_whose_package_is_gone_or_broken_spoils_no_other(child: Child, tmp_path: Path, package: str) -> None:
    shutil.copytree(PLUGIN, tmp_path / "path")
    (tmp_path / "path" / "broken").mkdir()
    (tmp_path / "path" / "broken" / "__init__.py").write_text("def (:\n")
    info = tmp_path / "path" / "odd-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[saccade.systems]\nodd = {package}\n")
    odd = Child(child.place, tmp_path / "path")
    shown, _ = odd("--help")
    assert " odd " in shown and "odd number of ones so far" in shown and " glimpse " in shown
    odd("parity", "train", "--show-config")
    if package == "broken":
        return
    for words in (["odd", "train"], ["odd", "--help"]):
        _, said = odd(*words, code=2)
        assert "expected the package of the system odd, found no ghosts" in said and said.count("\n") == 1
