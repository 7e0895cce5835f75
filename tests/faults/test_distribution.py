"""The shipped packages work alone: wheel and source distribution are built, and the commands run from the wheel.

A user's own folders and files have the names of Saccade's parts; they stay out of its way.
"""

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

from saccade.pipeline import systems
from saccade.pipeline.checkpoint.locate import shipped_names

ROOT = Path(__file__).parents[2]
STRANGERS = ("models", "bench", "pipeline", "glimpse", "baseline", "adding", "recurrent", "cores", "terminal", "images")
TINY = ["--hidden", "16", "--epochs", "1", "--threads", "1", "--batch-size", "256"]


def done(words: Sequence[str | Path], place: Path, **environment: str) -> str:
    """Run a command without what the tests' own environment says; its output."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        list(map(str, words)), cwd=place, capture_output=True, text=True, check=False, env=clean | environment
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout


def files_of(package: Path) -> set[str]:
    """Every file of the package, by its path in the wheel; the systems' folders are links in it."""
    walked = os.walk(package, followlinks=True)
    found = {Path(folder, name).relative_to(package.parent) for folder, _, names in walked for name in names}
    return {str(path) for path in found if "__pycache__" not in path.parts}


def strange(place: Path) -> Path:
    """A user's own packages and modules under the names of Saccade's parts; whoever imports one of them is told."""
    place.mkdir(parents=True, exist_ok=True)
    for name in STRANGERS:
        (place / name).mkdir()
        (place / name / "__init__.py").write_text(f"raise RuntimeError('a user has a {name} too')\n")
    for name in ("draw.py", "cli.py"):
        (place / name).write_text(f"raise RuntimeError('a user has a {name} too')\n")
    return place


def runs_among_strangers(python: Path, tmp_path: Path) -> None:
    """Run the commands in a folder of a user's own packages, with another such folder on PYTHONPATH."""
    place, saccade = strange(tmp_path / "place"), python.with_name("saccade")
    where = {"PYTHONPATH": str(strange(tmp_path / "path"))}
    listed = json.loads(done([saccade, "models", "--json"], place, **where))["models"]
    assert [model["name"] for model in listed] == shipped_names()
    shown = done([saccade, "--help"], place, COLUMNS="200", **where)
    assert all(f" {name} " in shown for name in systems.names())
    for words in ([saccade], [python, "-m", "saccade"]):
        assert done([*words, "--version"], place, **where).startswith("saccade 0.")
    words = ["glimpse", "train", "--features", "8", "--glimpses", "2", *TINY, "--out", "ram", "--eval", "--json"]
    for command, out in (([saccade], "ram"), ([python, "-m", "saccade"], "ram-again")):
        told = json.loads(done([*command, *words, "--out", out], place, **where))
        assert told["step"] == told["steps"] > 0 and "error_percent" in told["metrics"]


def test_a_users_own_packages_do_not_shadow_the_checkouts(tmp_path: Path) -> None:
    runs_among_strangers(Path(sys.executable), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_the_wheel_has_everything_and_runs_alone(tmp_path: Path) -> None:
    pytest.importorskip("build")
    done([sys.executable, "-m", "build", "--outdir", tmp_path / "dist", ROOT], tmp_path)  # the wheel from the sdist
    wheel, source = next((tmp_path / "dist").glob("*.whl")), next((tmp_path / "dist").glob("*.tar.gz"))
    ours, shipped = files_of(ROOT / "saccade"), set(zipfile.ZipFile(wheel).namelist())
    assert {f"saccade/{name}/system.py" for name in systems.names()} <= ours
    assert {f"saccade/shipped/networks/{name}/weights.safetensors" for name in shipped_names()} <= ours
    assert {"saccade/py.typed", "saccade/cli.py", "saccade/__main__.py", "saccade/bench/page/page.html"} <= ours
    assert ours == {name for name in shipped if name.startswith("saccade/")}
    tops = {name.partition("/")[0] for name in shipped}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"saccade"} and len(tops) == 2
    with tarfile.open(source) as archive:
        assert ours <= {name.partition("/")[2] for name in archive.getnames()}

    done([sys.executable, "-m", "venv", tmp_path / "venv"], tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    done([python, "-m", "pip", "install", "--no-deps", "--disable-pip-version-check", wheel], tmp_path)
    packages = Path(done([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], tmp_path).strip())
    # torch and the others as they are here, after the wheel's own; editable installs, which are .pth files, stay out
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    own = {path.name for path in packages.iterdir() if not path.name.endswith((".pth", ".dist-info"))}
    assert own - {"pip", "setuptools", "pkg_resources", "_distutils_hack", "__pycache__"} == {"saccade"}
    runs_among_strangers(python, tmp_path)
    place = tmp_path / "alone"
    place.mkdir()
    look = "import saccade.cli, saccade.recurrent, saccade.glimpse.system as one; import saccade.draw.system as other; "
    look += "print(saccade.cli.__file__, saccade.recurrent.__file__, one.__file__, other.__file__)"
    assert done([python, "-c", look], place).count(str(tmp_path / "venv")) == 4
    saccade = tmp_path / "venv" / "bin" / "saccade"
    demo = [saccade, "glimpse", "train", "--epochs", "20", "--batch-size", "128", "--shift", "1", "--optimizer", "muon"]
    told = json.loads(done([*demo, "--threads", "1", "--out", "demo", "--json"], place))
    assert told["step"] == told["steps"]
    assert json.loads(done([saccade, "glimpse", "eval", "demo", "--json"], place))["error_percent"]["mean_policy"] < 60
    done([saccade, "glimpse", "gif", "demo", "--index", "7", "--strip", "gaze.png"], place)
    assert (place / "demo" / "gaze-7.gif").stat().st_size > 1000
    done([saccade, "draw", "train", *TINY, "--latent", "4", "--steps", "3", "--out", "drawn"], place)
    done([saccade, "draw", "generate", "--count", "2", "--out", "sheet.png"], place)  # by a shipped network
    done([saccade, "adding", "train", *TINY, "--longest", "50", "--out", "added"], place)
    for name in ("demo", "drawn", "added"):
        assert json.loads((place / name / "run.json").read_text())["provenance"]["git_commit"] is None
