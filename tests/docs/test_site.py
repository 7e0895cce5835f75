"""The manual as a site, the README's limits, and the names of code that the manual mentions."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.manual import FENCE, IDS, PAGES, README, ROOT, blocks

MOST_LINES, MOST_WORDS = 130, 1200
NAME = re.compile(r"`(saccade(?:\.\w+)+)`")
LINK = re.compile(r"\]\(([^)#]+)[^)]*\)")
FROM_OUTSIDE = re.compile(r"<(?:script|img|link|iframe)[^>]+(?:src|href)=[\"']?https?://[^>]*>")


def test_the_readme_is_short() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert len(text.split()) <= MOST_WORDS


def test_the_readmes_table_is_short() -> None:
    rows = [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert len(rows) <= 2 + 11


def test_the_readmes_links_lead_to_files() -> None:
    for link in LINK.findall(README.read_text(encoding="utf-8")):
        assert (ROOT / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_the_names_of_code_are_there(page: Path) -> None:
    for name in NAME.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if name == "saccade.systems":  # the group of entry points, and a function
            continue
        parts = name.split(".")
        for at in range(len(parts), 0, -1):
            try:
                found = importlib.import_module(".".join(parts[:at]))
            except ModuleNotFoundError:
                continue
            for part in parts[at:]:
                assert hasattr(found, part), f"{name}: no {part}"
                found = getattr(found, part)
            break


def test_every_block_says_what_it_is() -> None:
    known = {"", "python", "text", "toml"}
    assert {block.kind for page in PAGES for block in blocks(page)} <= known


def test_the_site_builds_without_a_warning_and_asks_nothing_of_the_outside(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason='mkdocs is not installed: pip install -e ".[docs]"')
    pytest.importorskip("mkdocstrings", reason='mkdocstrings is not installed: pip install -e ".[docs]"')
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = {
        **os.environ,
        "NO_MKDOCS_2_WARNING": "1",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    done = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(PAGES) - 2
    for page in pages:
        found = FROM_OUTSIDE.findall(page.read_text(encoding="utf-8"))
        assert not [tag for tag in found if "rel=canonical" not in tag], page
    assert "saccade.pipeline.contract.System" in (tmp_path / "site" / "python.html").read_text(encoding="utf-8")
