"""The tutorial's package, installed by its entry point into a child process: trains, evaluates, animates."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.docs.manual import ROOT, blocks, commands

PAGE = ROOT / "docs" / "new-system.md"
MOST_LINES = 68  # of code without imports; the text says "about 65"

RUN = """
import json, sys
import saccade
from typer.testing import CliRunner
from saccade.cli import app

for words in json.loads(sys.argv[1]):
    result = CliRunner().invoke(app, words, prog_name="saccade", catch_exceptions=False)
    assert result.exit_code == 0, (words, result.stderr)
print(saccade.systems())
print(CliRunner().invoke(app, ["--help"], prog_name="saccade").stdout)
"""


def install(folder: Path) -> None:
    """Write the page's files, and the entry point that its pyproject.toml names as pip would install it."""
    files = {block.title: block.body for block in blocks(PAGE) if block.title}
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    info = folder / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (group, points), *_ = project["entry-points"].items()
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))


def test_the_tutorials_system_trains_evaluates_and_animates(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    install(tmp_path)
    words = [line[1:] for line in commands(PAGE) if line[0] == "saccade"]
    assert [line[1] for line in words] == ["train", "eval", "gif"]
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    run = [sys.executable, "-c", RUN, json.dumps(words)]
    done = subprocess.run(run, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "'parity'" in done.stdout
    assert "Parity: read bits" in done.stdout
    metrics = json.loads((place / "runs" / "parity" / "metrics.json").read_text())
    assert metrics["error_percent"] < 1
    assert (place / "parity.gif").stat().st_size > 1000


def test_the_tutorial_is_short() -> None:
    code = [block.body for block in blocks(PAGE) if block.title.endswith(".py")]
    lines = [line for text in code for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("import", "from"))]
    assert len(lines) <= MOST_LINES, len(lines)
