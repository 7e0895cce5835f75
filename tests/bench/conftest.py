"""A whole benchmark on the smallest budget, once for all tests here; and a browser."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import benchmark
from bench.plan import Plan, plan


def tiny() -> Plan:
    """The digits' plan with little networks, one epoch, few sizes and a blink of timing; RAM on two seeds."""
    chosen = plan("digits")
    contestants = []
    for contestant in chosen.contestants:
        if contestant.name in ("ram-2", "ram-6", "window-6", "fc", "cnn", "ram-6-mixed"):
            train = {**contestant.settings["train"], "epochs": 1, "batch_size": 256}
            small = {"hidden": 16, "features": 16} if contestant.system == "glimpse" else {"hidden": 16}
            settings = {**contestant.settings, "train": train, "model": {**contestant.settings["model"], **small}}
            seeds = (0, 1) if contestant.name == "ram-2" else (0,)
            contestants.append(contestant._replace(settings=settings, seeds=seeds))
    sizes = (28, 60, 400)
    return Plan("digits", False, tuple(contestants), sizes, seconds=0.2, largest_batch=16, examples=200)


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
