"""The notebooks run, and are kept without outputs. The default run has small numbers in their first code cell."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.docs.manual import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
SMALL = {"SAMPLES": "200", "EPOCHS": "2", "STEPS_SHOWN": "3", "DIGITS": '"14"'}

nbformat = pytest.importorskip("nbformat", reason='nbformat is not installed: pip install -e ".[test]"')


def read(path: Path) -> Any:
    """Return a notebook."""
    return nbformat.read(path, as_version=4)


def execute(notebook: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a notebook in a folder, on one thread."""
    nbclient = pytest.importorskip("nbclient", reason='nbclient is not installed: pip install -e ".[test]"')
    pytest.importorskip("ipykernel", reason='ipykernel is not installed: pip install -e ".[test]"')
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    nbclient.NotebookClient(
        notebook, timeout=280, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or (cell.outputs, cell.execution_count) == ([], None)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


@pytest.mark.filterwarnings("ignore")  # the kernel's client has some of its own
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_with_small_numbers(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = read(path)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    names = re.findall(r"^(\w+) =", cell.source, re.MULTILINE)
    cell.source = "\n".join(f"{name} = {SMALL[name]}" for name in names)
    execute(notebook, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_whole(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(read(path), tmp_path, monkeypatch)
