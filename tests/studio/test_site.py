"""The static site: small enough, without Python, and with the same answers."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saccade.errors import InputError
from saccade.studio.site import write_site
from tests.studio.browser import Browser
from tests.studio.running import SEVEN, Studio, serious

pytest.importorskip("onnxscript", reason="pip install 'saccade[export]'")

ANSWER = "document.querySelector('.panel-glimpse .answer').textContent"
LOOKED = "document.querySelectorAll('.others figure').length > 3 && document.querySelectorAll('.timeline li').length"


def test_a_folder_of_somebody_else_is_kept(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="an empty folder"):
        write_site(tmp_path)
    with pytest.raises(InputError, match="a folder for the site"):
        write_site(tmp_path / "thesis.txt")
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


ASK = """(async () => {
    const { openEngine } = await import('./kit/%s');
    window.engine ??= openEngine(() => {});
    const events = [];
    for await (const event of window.engine.ask(%s, %s, %s)) events.push(event);
    return events;
})()"""


def ask(browser: Browser, engine: str, panel: str, what: str, request: str) -> Any:
    """Ask an engine in the page that is open."""
    return browser.run(ASK % (engine, repr(panel), repr(what), request))


@pytest.mark.slow
def test_the_site_answers_as_python_does(browser: Browser, studio: Studio, site: str, axe: str) -> None:
    browser.size(1400, 900)
    begun = time.monotonic()
    browser.open(site, "glimpse")
    browser.wait(f"{ANSWER}.includes('after')")
    print(f"first answer {time.monotonic() - begun:.2f} s after loading")
    browser.wait(f"{LOOKED} === 7")
    browser.draw(".panel-glimpse canvas.pad", SEVEN)
    browser.wait(f"{LOOKED} === 7 && {ANSWER}.startsWith('7')")
    browser.run(f"{axe}; 0")
    assert serious(browser.run("axe.run(document)")) == []
    image = browser.run("fetch('panels/glimpse/examples.json').then((a) => a.json()).then((a) => a[5].image)")
    gazes = "[{policy: 'learned'}, {policy: 'random', seed: 9}, {policy: 'learned', places: [null, [0.5, 0.5]]}]"
    requests = {
        ("glimpse", "look"): f"{{network: 'ram-mnist', image: '{image}', gazes: {gazes}, glimpses: 7}}",
        ("draw", "write"): "{network: 'draw-mnist-labelled', labels: [2, 7], seed: 5}",
    }
    ours = {key: ask(browser, "still.js", *key, request) for key, request in requests.items()}
    assert [url for url in browser.requests if not url.startswith((site, "data:", "blob:", "about:"))] == []
    assert browser.console == []
    browser.open(studio.url, "glimpse")
    theirs = {key: ask(browser, "talk.js", *key, request) for key, request in requests.items()}
    for one, other in zip(ours["glimpse", "look"], theirs["glimpse", "look"], strict=True):
        for a, b in zip(one["gazes"], other["gazes"], strict=True):
            np.testing.assert_allclose(a["location"], b["location"], atol=1e-4)
            np.testing.assert_allclose(a["belief"], b["belief"], atol=1e-3)
    for one, other in zip(ours["draw", "write"], theirs["draw", "write"], strict=True):
        np.testing.assert_allclose(one["windows"], other["windows"], atol=1e-3)


@pytest.mark.slow
def test_the_site_draws_and_finishes(browser: Browser, site: str) -> None:
    browser.size(1400, 900)
    browser.open(site, "draw")
    bars = "document.querySelectorAll('.chart span').length"
    browser.wait(f"document.querySelectorAll('.tile').length === 4 && {bars} > 5", 60)
    browser.click("[data-mode=finish]")
    browser.click("[data-part=half]")
    browser.wait(f"document.querySelectorAll('.tile').length === 6 && {bars} > 5", 60)
    assert browser.console == []
