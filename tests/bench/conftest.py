"""A whole benchmark on the smallest budget, once for all tests here; and a browser."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from saccade.bench import benchmark

sys.path.insert(0, str(Path(__file__).parent))
from tiny import tiny


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished benchmark; tests copy it before they change it."""
    out = tmp_path_factory.mktemp("bench") / "benchmark"
    benchmark.run(tiny(), out, 1, None)
    return out


@pytest.fixture
def content(measured: Path) -> dict[str, Any]:
    """Its benchmark.json."""
    return json.loads((measured / "benchmark.json").read_text())


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """Headless Chromium that keeps a log of the console and of every request."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium with its chromedriver; Debian has both (chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "disable-dev-shm-usage", f"user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
    opened.set_page_load_timeout(120)
    try:
        yield opened
    finally:
        opened.quit()
