"""One studio and one browser for all tests here."""

import lzma
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.studio.browser import Browser
from tests.studio.running import Studio


@pytest.fixture(scope="package")
def studio() -> Iterator[Studio]:
    """A studio on a loopback address; it must not have complained when the tests are over."""
    running = Studio()
    yield running
    assert running.process.poll() is None, "the studio has stopped"
    assert running.close() == ""


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium."""
    opened = Browser(tmp_path_factory.mktemp("browser") / "profile")
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def axe() -> str:
    """The script of axe-core."""
    return lzma.decompress((Path(__file__).parent / "axe.min.js.xz").read_bytes()).decode()
