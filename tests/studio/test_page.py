"""The page in headless Chromium: drawn on with real pointer events, dragged, played by keys, at every size."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import saccade
from saccade.studio.panels import panels
from tests.images.pictures import glyph, treated
from tests.studio.browser import Browser
from tests.studio.running import SEVEN, Studio, serious

PAD = ".panel-glimpse canvas.pad"
LOOKED = (
    "document.querySelectorAll('.timeline li').length === {} && document.querySelectorAll('.others figure').length > 3"
)
ANSWER = "document.querySelector('.panel-glimpse .answer').textContent"
DRAWN = "document.querySelectorAll('.tile').length === {} && document.querySelectorAll('.chart span').length > 5"

SETTLED = {
    "glimpse": LOOKED.format(7),
    "draw": DRAWN.format(4),
    "sketch": "!document.querySelector('[data-part=accept]').disabled && !!document.querySelector('.bars .best')",
    "track": "document.querySelectorAll('.chart span').length === 48",
    "translate": "document.querySelectorAll('.beam li').length > 1 && !!document.querySelector('.writes .now')",
}
"""A condition that holds when a panel has shown its first answer; a panel that is not named gets a second."""


def clean(browser: Browser, studio: Studio) -> None:
    """Check that the page said nothing on the console and asked nobody else."""
    assert browser.console == []
    own = (studio.origin, studio.talk, "data:", "blob:", "about:")
    assert [url for url in browser.requests if not url.startswith(own)] == []


def draw_seven(browser: Browser, studio: Studio) -> None:
    """Open Look, draw a seven, and wait until it is read."""
    browser.size(1400, 900)
    browser.open(studio.url, "glimpse")
    browser.wait(LOOKED.format(7))  # of the example that it begins with
    browser.draw(PAD, SEVEN)
    browser.wait(f"{LOOKED.format(7)} && {ANSWER}.startsWith('7')")


def test_reads_a_digit_that_is_drawn_and_steps(browser: Browser, studio: Studio) -> None:
    draw_seven(browser, studio)
    browser.wait(f"/^7, \\d+%.* after 7 glimpses/.test({ANSWER})")  # it has played to the end
    assert int(browser.run("document.querySelector('.stage').dataset.firstGlimpseMs")) < 5000
    browser.click(".player button:nth-of-type(1)")
    assert "after 6 glimpses" in browser.run(ANSWER)
    browser.run("document.querySelector('.panel-glimpse .player input').focus()")
    browser.key("ArrowLeft")
    assert "after 5 glimpses" in browser.run(ANSWER)
    browser.click(".player button:nth-of-type(2)")  # play
    browser.wait(f"{ANSWER}.includes('after 7 glimpses')")
    clean(browser, studio)


def test_a_glimpse_that_is_dragged_changes_the_belief(browser: Browser, studio: Studio) -> None:
    draw_seven(browser, studio)
    browser.wait(f"/after 7 glimpses/.test({ANSWER})")
    places = "[...document.querySelectorAll('.timeline button')].map((one) => one.textContent).join()"
    before, handle = browser.run(places), ".handle:nth-of-type(2)"
    browser.box(".stage canvas")  # into view
    box = "(() => { const b = document.querySelector(%r).getBoundingClientRect(); return [b.left, b.top, b.width]; })()"
    stage, own = browser.run(box % ".stage canvas"), browser.run(box % handle)
    start = (own[0] + own[2] / 2, own[1] + own[2] / 2)
    corner = (stage[0] + 0.95 * stage[2], stage[1] + 0.95 * stage[2])
    browser.drag([start, ((start[0] + corner[0]) / 2, (start[1] + corner[1]) / 2), corner])
    browser.wait(f"{places} !== {before!r}")
    assert not browser.run("document.querySelector('[data-part=reset]').hidden")
    assert "own" in browser.run(f"document.querySelector({handle!r}).className")
    browser.run(f"document.querySelector({handle!r}).focus()")
    browser.key("Delete")  # back to the policy
    browser.wait(f"{places} === {before!r}")
    clean(browser, studio)


def test_draws_by_keys_and_looks_less_often_and_through_clutter(browser: Browser, studio: Studio) -> None:
    browser.size(1400, 900)
    browser.open(studio.url, "glimpse")
    browser.wait(LOOKED.format(7))
    browser.click("[data-part=clear]")
    browser.run(f"document.querySelector({PAD!r}).focus()")
    browser.key("ArrowUp", times=7)
    browser.key(" ", " ")
    browser.key("ArrowDown", times=14)
    browser.key(" ", " ")
    browser.wait(f"{LOOKED.format(7)} && {ANSWER}.startsWith('1')")
    slider = "document.querySelector('[data-part=glimpses]')"
    browser.run(f"{slider}.value = 3; {slider}.dispatchEvent(new Event('input'))")
    browser.wait(LOOKED.format(3))
    browser.click("[data-part=clutter]")
    browser.wait(LOOKED.format(6))
    assert "ram-cluttered" in browser.run("document.querySelector('[data-part=network]').textContent")
    assert browser.run("document.querySelectorAll('.retina figure').length") == 3
    clean(browser, studio)


def test_reads_a_photo_of_several_digits(browser: Browser, studio: Studio, tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    ink = glyph("4 7 2", chance, font="DejaVuSans")
    treated(ink, "photograph", chance).convert("RGB").save(tmp_path / "472.png")
    readings: Any = saccade.load("ram-mnist").read(tmp_path / "472.png")  # type: ignore[attr-defined]
    assert len(readings) == 3
    browser.size(1400, 900)
    browser.open(studio.url, "glimpse")
    browser.wait(LOOKED.format(7))
    root = browser.call("DOM.getDocument")["root"]["nodeId"]
    node = browser.call("DOM.querySelector", nodeId=root, selector="[data-part=photo]")["nodeId"]
    browser.call("DOM.setFileInputFiles", nodeId=node, files=[str(tmp_path / "472.png")])
    browser.wait("document.querySelectorAll('[data-part=digits] button').length === 3")
    answers = []
    for digit in range(3):
        browser.run(f"document.querySelectorAll('[data-part=digits] button')[{digit}].click()")
        browser.wait(f"{ANSWER}.includes('after 1 glimpse')")
        browser.wait(f"{ANSWER}.includes('after 7 glimpses')")
        answers.append(browser.run(f"{ANSWER}[0]"))
    assert answers == [reading.label for reading in readings]
    clean(browser, studio)


def test_draws_by_touch_on_a_phone(browser: Browser, studio: Studio) -> None:
    browser.size(360, 740)
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    try:
        browser.open(studio.url, "glimpse")
        browser.wait(LOOKED.format(7))
        left, top, width, height = browser.box(PAD)
        scrolled = browser.run("scrollY")
        points = [(0.5, 0.2 + 0.05 * k) for k in range(13)]
        for k, (x, y) in enumerate(points):
            touch = [{"x": left + x * width, "y": top + y * height}]
            browser.call("Input.dispatchTouchEvent", type="touchMove" if k else "touchStart", touchPoints=touch)
        browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        browser.wait(f"{LOOKED.format(7)} && {ANSWER}.startsWith('1')")
        assert browser.run("scrollY") == scrolled, "the page stays where it is while a finger draws"
    finally:
        browser.call("Emulation.setTouchEmulationEnabled", enabled=False)
    clean(browser, studio)


def test_writes_finishes_and_moves_along_latents(browser: Browser, studio: Studio) -> None:
    browser.size(1400, 900)
    browser.open(studio.url, "draw")
    browser.wait(DRAWN.format(4))
    browser.run("document.querySelector('[data-part=number]').value = '70'")
    browser.click(".draw form button[type=submit]")
    browser.wait(DRAWN.format(2))
    assert "generate --text 70 --seed 7" in browser.run("document.querySelector('.panel-draw .command').textContent")
    browser.click("[data-part=free]")
    browser.wait(f"{DRAWN.format(4)} && document.querySelectorAll('.chart span').length === 65")  # and the axis
    browser.click("[data-mode=latents]")
    browser.wait(DRAWN.format(9))
    browser.click("[data-mode=finish]")
    browser.draw(".begin canvas.pad", [[(0.3, 0.22), (0.7, 0.22), (0.6, 0.45)]])
    browser.wait(DRAWN.format(6))
    names = browser.run("[...document.querySelectorAll('.tile span')].map((one) => one.textContent).join()")
    assert names.count("nats") == 6
    browser.wait("document.querySelector('[data-part=progress]').textContent.startsWith('Refined')", 60)
    clean(browser, studio)


@pytest.mark.parametrize("panel", list(panels()))
@pytest.mark.parametrize("width", [360, 1400])
def test_fits_and_is_accessible(browser: Browser, studio: Studio, axe: str, panel: str, width: int) -> None:
    for theme in ("light", "dark"):
        browser.size(width, 800, theme)
        browser.open(studio.url, panel)
        if panel in SETTLED:
            browser.wait(SETTLED[panel])
        else:
            time.sleep(1)
        assert browser.run("document.documentElement.dataset.theme") == theme
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        modes = browser.run("document.querySelectorAll('[data-mode]').length")
        for mode in range(modes or 1):
            if modes:
                browser.run(f"document.querySelectorAll('[data-mode]')[{mode}].click()")
                time.sleep(0.2)
            assert browser.run(over) <= 0
            if mode == 0:
                browser.run(f"{axe}; 0")
            found = browser.run(
                "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})"
            )
            assert serious(found) == []
        clean(browser, studio)
