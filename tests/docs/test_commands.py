"""Every command of the README and the manual: it exists, and it runs, in its page's order, in an empty folder.

Long ones run with tiny settings put behind their own, which the last of two equal options overrides. The marker slow
runs the README, and the comparisons of the usage page, as they are written.
"""

import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from saccade.cli import app
from tests.docs.manual import IDS, PAGES, README, ROOT, commands, inline_commands, recipe, targets

OTHERS = {"source", "pip", "tensorboard"}
"""Programs that are not ours, and are not run."""

RESULTS = ROOT / "experiments" / "RESULTS.md"

TRAIN = ["--epochs", "1", "--batch-size", "64", "--threads", "1"]
IMAGES = [*TRAIN, "--validation", "0", "--dataset", "digits"]
ROWS = ["--pool", "digits", "--dataset", "digits:1-2", "--canvas", "64", "--layout", "row", "--smallest", "20"]
ROWS += ["--pieces", "0", "--held-out", "20"]
TINY = {
    ("glimpse", "train"): [*IMAGES, "--hidden", "16", "--features", "8", "--glimpses", "3"],
    ("dram", "train"): [*TRAIN, *ROWS, "--hidden", "16", "--upper", "8", "--features", "8", "--rollouts", "2"],
    ("draw", "train"): [*IMAGES, "--hidden", "16", "--latent", "4", "--steps", "3", "--first-steps", "3"],
    ("baseline", "train"): [*IMAGES, "--kind", "fc"],
    ("adding", "train"): [*TRAIN, "--shortest", "5", "--longest", "8", "--epoch-examples", "100", "--held-out", "20"],
    ("track", "train"): [*TRAIN, "--dataset", "moving", "--epoch-videos", "64", "--held-out", "20", "--window", "16"],
    ("caption", "train"): [*TRAIN, "--scenes", "64", "--held-out", "20", "--hidden", "16", "--embedding", "8"],
    ("translate", "train"): [*TRAIN, "--hidden", "16", "--encoder", "8", "--embedding", "8", "--epoch-examples", "100"],
    ("translate", "eval"): ["--beam", "1"],
    ("sketch", "train"): [*TRAIN, "--dataset", "digits", "--encoder", "8", "--decoder", "16", "--latent", "4"],
    ("sketch", "eval"): ["--judged", "1"],
    ("sketch", "generate"): ["--count", "4"],
    ("video", "train"): [*TRAIN, "--epoch-clips", "64", "--held-out", "10", "--hidden", "8", "--width", "4"],
    ("draw", "eval"): ["--samples", "2", "--judged", "1"],
    ("draw", "generate"): ["--count", "4"],
    ("draw", "gif"): ["--count", "2"],
    ("gradients",): ["--steps", "5", "--updates", "1"],
    ("cores",): ["--epochs", "1"],
    ("reproduce",): ["--collect"],
}
LONG = {"benchmark", "report", "cores"}
"""Verbs whose tiny version takes long too: only parsed, and run by the slow test."""


def words_of(command: Sequence[str]) -> list[str]:
    """Return what stands after `saccade`, `python cli.py` or a launcher's `cli.py`; nothing for other programs."""
    if command[0] == "saccade":
        return list(command[1:])
    return list(command[command.index("cli.py") + 1 :]) if "cli.py" in command else []


def tiny(words: list[str]) -> list[str]:
    """Return a command with tiny settings."""
    if "--show-config" in words:
        return words
    more = TINY.get(tuple(words[:2]), TINY.get(tuple(words[:1]), []))
    if "--text" in words:
        more = []
    if "--dataset" in words and (words[words.index("--dataset") + 1].startswith("folder:") or "--pool" in words):
        more = [option for option in more if option not in ("--dataset", "digits")]
        more = more if "--pool" in words else [*more, "--batch-size", "4"]
    return [*words, *more]


def run(words: Sequence[str]) -> None:
    """Run a command of saccade, and look at the files that it names."""
    result = CliRunner().invoke(app, list(words), prog_name="saccade", catch_exceptions=False)
    assert result.exit_code == 0, (words, result.stdout[-500:], result.stderr[-1000:])
    for option, file in pairwise(words):
        if option in ("--out", "--gif", "--strip", "--neighbours"):
            assert Path(file).exists(), (words, option)


_trained: dict[tuple[str, ...], Path] = {}
_figures: set[str] = set()


def is_done(words: list[str]) -> bool:
    """Return True for a figure that another page has had drawn: it takes seconds and depends on no run."""
    done = words[0] == "gradients" and words[0] in _figures
    _figures.add(words[0])
    return done


def run_tiny(words: list[str], kept: Path) -> None:
    """Run a command with tiny settings; a training that another page has had is copied."""
    command = tiny(words)
    if "train" not in command[:2] or "--out" not in command:
        run(command)
        return
    at = command.index("--out")
    key, out = tuple(command[:at] + command[at + 2 :]), Path(command[at + 1])
    if key in _trained and not out.exists():
        shutil.copytree(_trained[key], out)
        return
    run(command)
    if "--eval" not in command and key not in _trained:
        _trained[key] = Path(shutil.copytree(out, kept / str(len(_trained))))


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of networks that several pages train."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a reader has it: the clone's experiments, and some pictures of the reader's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SACCADE_DATA", raising=False)
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    for name in ("cat", "dog"):
        (tmp_path / "my-images" / name).mkdir(parents=True)
        for i in range(20):
            noise = np.random.default_rng(i).integers(0, 255, (28, 28), np.uint8)
            Image.fromarray(noise).save(tmp_path / "my-images" / name / f"{i}.png")
    return tmp_path


def parsed(words: Sequence[str]) -> None:
    """Parse a command without running it: its verbs, options and arguments exist."""
    command: Any = get_command(app)
    name, context = "saccade", None
    while words and hasattr(command, "get_command"):
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
        name, words = words[0], words[1:]
        if name.startswith("-"):
            command, words = command, [name, *words]
            break
        found = command.get_command(context, name)
        assert found, f"no command {name}"
        command = found
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        assert not word.startswith("--") or word in {*known, "--help"}, f"no option {word} of {name}"


@pytest.mark.parametrize("page", [*PAGES, RESULTS], ids=[*IDS, "experiments/RESULTS.md"])
def test_every_command_exists(page: Path) -> None:
    for command in [*commands(page), *inline_commands(page)]:
        if command[0] == "make":
            assert command[1] in targets(), command
        elif words := words_of(command):
            assert words[0] == "parity" or parsed(words) is None, command  # the tutorial's own system
        else:
            assert command[0] in OTHERS or command == ["saccade"], command


def verbs(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the verbs below a command, each as the words that one types."""
    if not hasattr(command, "list_commands"):
        return [path]
    context = command.make_context("saccade", [], resilient_parsing=True)
    names = command.list_commands(context)
    return [verb for name in names for verb in verbs(command.get_command(context, name), (*path, name))]


def test_the_usage_page_has_every_verb() -> None:
    usage = ROOT / "docs" / "usage.md"
    shown = {tuple(words_of(command)[:2]) for command in [*commands(usage), *inline_commands(usage)]}
    shown |= {words[:1] for words in shown}
    assert not [verb for verb in verbs(get_command(app)) if verb not in shown]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
@pytest.mark.usefixtures("place")
def test_every_command_runs_in_its_pages_order(page: Path, kept: Path) -> None:
    if page.name == "new-system.md":
        pytest.skip("test_tutorial.py runs these with the tutorial's package installed")
    for command in commands(page):
        if command == ["make", "demo"]:
            for words in recipe("demo"):
                run_tiny(words, kept)
        elif (words := words_of(command)) and words[0] not in LONG and not is_done(words):
            run_tiny(words, kept)


def test_the_readme_names_no_file_that_a_clone_does_not_have() -> None:
    for command in commands(README):
        options = [word for before, word in pairwise(command) if before.startswith("--")]
        files = [word for word in command[1:] if Path(word).suffix in (".png", ".gif", ".toml") and word not in options]
        shipped = ROOT / "saccade" / "shipped" / "samples"  # `saccade samples` writes them
        assert all((ROOT / file).exists() or (shipped / file).exists() for file in files), command


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("place")
def test_the_readmes_commands_run_whole() -> None:
    for command in commands(README):
        if command == ["make", "demo"]:
            for words in recipe("demo"):
                run(words)
        elif words := words_of(command):
            run(words)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("place")
def test_the_comparisons_run_whole() -> None:
    usage = ROOT / "docs" / "usage.md"
    for command in commands(usage):
        words = words_of(command)
        if words and words[0] in {*LONG, "gradients"}:
            run(words)
