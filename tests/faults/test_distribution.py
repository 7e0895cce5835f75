"""What is shipped works alone: wheel and source distribution are built, and the demo's command runs from the wheel."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/py.typed"))


def done(words: Sequence[str | Path], place: Path, **environment: str) -> str:
    """Run a command without what the tests' own environment says; its output."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        list(map(str, words)), cwd=place, capture_output=True, text=True, check=False, env=clean | environment
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_the_wheel_has_everything_and_runs_alone(tmp_path: Path) -> None:
    pytest.importorskip("build")
    done([sys.executable, "-m", "build", "--outdir", tmp_path / "dist", ROOT], tmp_path)  # the wheel from the sdist
    wheel, source = next((tmp_path / "dist").glob("*.whl")), next((tmp_path / "dist").glob("*.tar.gz"))
    ours = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")} | {"cli.py"}
    shipped = set(zipfile.ZipFile(wheel).namelist())
    assert ours <= shipped
    assert {f"{package}/py.typed" for package in PACKAGES} <= shipped
    assert not [name for name in shipped if name.startswith(("tests", "runs", "experiments"))]
    with tarfile.open(source) as archive:
        assert ours <= {name.partition("/")[2] for name in archive.getnames()}

    done([sys.executable, "-m", "venv", tmp_path / "venv"], tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    done([python, "-m", "pip", "install", "--no-deps", "--disable-pip-version-check", wheel], tmp_path)
    packages = Path(done([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], tmp_path).strip())
    # torch and the others as they are here, after the wheel's own; editable installs, which are .pth files, stay out
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    place = tmp_path / "place"
    place.mkdir()
    where = done([python, "-c", "import cli, recurrent; print(cli.__file__, recurrent.__file__)"], place)
    assert where.count(str(tmp_path / "venv")) == 2
    saccade = tmp_path / "venv" / "bin" / "saccade"
    demo = [saccade, "glimpse", "train", "--epochs", "20", "--batch-size", "128", "--shift", "1", "--optimizer", "muon"]
    told = json.loads(done([*demo, "--threads", "1", "--out", "demo", "--json"], place))
    assert told["step"] == told["steps"]
    assert json.loads(done([saccade, "glimpse", "eval", "demo", "--json"], place))["error_percent"]["mean_policy"] < 60
    done([saccade, "glimpse", "gif", "demo", "--index", "7", "--strip", "gaze.png"], place)
    assert (place / "demo" / "gaze-7.gif").stat().st_size > 1000
    tiny = ["--hidden", "16", "--latent", "4", "--steps", "3", "--epochs", "1", "--threads", "1"]
    done([saccade, "draw", "train", *tiny, "--out", "drawn"], place)
    assert json.loads((place / "demo" / "run.json").read_text())["facts"]["git_commit"] is None
