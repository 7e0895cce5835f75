"""Sketch, Follow and Translate in headless Chromium: drawn on, dragged and typed into with real events."""

import io
import json
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

from PIL import Image

import saccade
from saccade.sketch.files import read_drawings
from saccade.videos.files import read_frames
from tests.studio.browser import Browser
from tests.studio.running import Studio
from tests.studio.test_page import clean

PAD = ".panel-sketch canvas.pad"
DRAWN = (
    "document.querySelectorAll('.panel-sketch .tile').length === 6 "
    "&& !document.querySelector('[data-part=accept]').disabled"
)
READ = "/^\\d, \\d+%$/.test(document.querySelector('.panel-sketch .answer').textContent)"
TURN = "document.querySelector('.panel-sketch .turn').textContent"
COMMAND = "document.querySelector('.panel-{} .command code').textContent"
TEXTS = "[...document.querySelectorAll('{}')].map((one) => one.textContent)"
SLIDER = "document.querySelector('.panel-{} .player input')"
BAR = [[(0.25, 0.22), (0.72, 0.22)]]

SAVED = """(() => {
    window.saved = [];
    const make = URL.createObjectURL;
    URL.createObjectURL = (blob) => { window.saved.push(blob); return make(blob); };
})()"""
BYTES = """(async () => {
    const bytes = new Uint8Array(await window.saved.at(-1).arrayBuffer());
    return btoa(Array.from(bytes, (one) => String.fromCharCode(one)).join(''));
})()"""


def saved(browser: Browser, button: str) -> bytes:
    """Click a button that saves a file; return the file."""
    before = browser.run("window.saved.length")
    browser.click(button)
    browser.wait(f"window.saved.length > {before}")
    return b64decode(browser.run(BYTES))


def begin(browser: Browser, studio: Studio, panel: str, width: int = 1400) -> None:
    """Open a panel, and keep what it saves; no file is written."""
    browser.size(width, 900)
    browser.call("Browser.setDownloadBehavior", behavior="deny")
    browser.open(studio.url, panel)
    browser.run(SAVED)


def colours(browser: Browser, selector: str) -> list[int]:
    """Return how many pixels of a canvas are blue, and how many orange."""
    return browser.run(
        f"""(() => {{
            const {{ width, height }} = document.querySelector({selector!r});
            const copy = Object.assign(document.createElement('canvas'), {{ width, height }});
            const context = copy.getContext('2d', {{ willReadFrequently: true }});
            context.drawImage(document.querySelector({selector!r}), 0, 0);
            const {{ data }} = context.getImageData(0, 0, width, height);
            const near = (r, g, b) => {{
                let count = 0;
                for (let i = 0; i < data.length; i += 4) {{
                    if (Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 30) count += 1;
                }}
                return count;
            }};
            return [near(0x74, 0xad, 0xe9), near(0xff, 0x8a, 0x3d)];
        }})()"""
    )


def test_a_drawing_is_begun_goes_on_and_is_taken_in_turns(browser: Browser, studio: Studio, tmp_path: Path) -> None:
    begin(browser, studio, "sketch")
    browser.wait(f"{DRAWN} && {READ}")  # of the arc that it begins with
    browser.click("[data-part=clear]")
    assert browser.run("document.querySelectorAll('.panel-sketch .tile').length") == 0
    assert "generate sketch-digits" in browser.run(COMMAND.format("sketch"))
    label = "document.querySelector('.panel-sketch [data-part=label]')"
    browser.run(f"{label}.value = '7'; {label}.dispatchEvent(new Event('change'))")
    browser.draw(PAD, BAR)
    browser.wait(f"{DRAWN} && {READ}")
    assert browser.run(TEXTS.format(".panel-sketch .tile span")) == ["7"] * 6
    browser.wait("document.querySelector('.panel-sketch .answer').textContent.startsWith('7')")  # the pen has finished
    mine, its = colours(browser, PAD)
    assert mine > 500
    assert its > 500
    command = browser.run(COMMAND.format("sketch"))
    assert command.startswith(
        "saccade sketch complete sketch-digits begun.svg --whole 204 --pen-down --count 6 --class 7"
    )
    (tmp_path / "begun.svg").write_bytes(saved(browser, "[data-part=begun]"))
    network: Any = saccade.load("sketch-digits")
    first = network.strokes_of(read_drawings(tmp_path / "begun.svg")[0], whole=204.0, pen_down=True)
    endings = network.complete(first, 6, seed=int(command.split("--seed ")[1].split()[0]), temperature=0.4, label="7")
    (tmp_path / "drawing.svg").write_bytes(saved(browser, "[data-part=svg]"))
    whole = read_drawings(tmp_path / "drawing.svg")[0]
    assert len(whole) == len(endings.strokes[0]) + 1, (
        "the command draws the same strokes; the first one is in two colours"
    )
    film = Image.open(io.BytesIO(saved(browser, "[data-part=gif]")))
    assert film.format == "GIF"
    assert film.n_frames > 8  # type: ignore[attr-defined]
    browser.click(".panel-sketch .tile:nth-child(3)")
    browser.click("[data-part=accept]")
    assert "Draw on if you like" in browser.run(TURN)
    browser.draw(PAD, [[(0.4, 0.55), (0.62, 0.53)]])  # a turn of one's own
    browser.wait(f"{TURN} !== '' && !{TURN}.startsWith('The network draws')")
    for _ in range(3):
        browser.click("[data-part=undo]")
        if browser.run("document.querySelector('[data-part=undo]').disabled"):
            break
    assert browser.run(TURN) == "Draw the beginning, and lift the pen."
    assert colours(browser, PAD) == [0, 0]
    clean(browser, studio)


def test_characters_go_on_by_keys_a_stroke_at_a_time(browser: Browser, studio: Studio) -> None:
    begin(browser, studio, "sketch")
    browser.wait(DRAWN)
    browser.click("[data-network=sketch-omniglot]")
    browser.click("[data-part=clear]")
    far = "document.querySelector('.panel-sketch [data-part=far]')"
    browser.run(f"{far}.value = '1'; {far}.dispatchEvent(new Event('change'))")
    browser.click(".panel-sketch [data-part=density]")
    browser.run(f"document.querySelector({PAD!r}).focus()")
    browser.key(" ", " ")
    browser.key("ArrowDown", times=5)
    browser.key(" ", " ")
    browser.wait(DRAWN)
    assert browser.run("document.querySelector('.panel-sketch .reads').hidden")
    browser.click("[data-part=accept]")
    assert browser.run(TURN) == "Your turn: draw on."
    browser.click("[data-part=other]")  # or let it go on; it may find that nothing is missing
    browser.wait("document.querySelectorAll('.panel-sketch .tile').length === 6")
    browser.click("[data-part=clear]")
    browser.click("[data-part=other]")  # one from noise
    browser.wait(DRAWN)
    clean(browser, studio)


def test_a_box_in_a_clip_is_followed(browser: Browser, studio: Studio, tmp_path: Path) -> None:
    begin(browser, studio, "track")
    answer = "document.querySelector('.panel-track .answer').textContent"
    over = f"{SLIDER.format('track')}.value === '47'"
    browser.wait(f"{over} && /% sure|lost/.test({answer})")
    (tmp_path / "clip.gif").write_bytes(saved(browser, ".panel-track [data-part=save]"))
    frames = list(read_frames(tmp_path / "clip.gif"))
    assert len(frames) == 48
    assert frames[0].shape == (64, 64, 3)
    slider = SLIDER.format("track")
    browser.run(f"{slider}.value = 10; {slider}.dispatchEvent(new Event('input'))")
    left, top, width, height = browser.box(".panel-track .scene")
    browser.drag([(left + x * width, top + y * height) for x, y in ((0.1, 0.5), (0.3, 0.7), (0.5, 0.9))])
    browser.wait(f"{over} && document.querySelectorAll('.panel-track .chart span').length === 48")
    command = browser.run(COMMAND.format("track"))
    assert "--box 6,32,26,26 --first 11" in command
    browser.run("document.querySelector('.panel-track .scene').focus()")
    browser.key("ArrowLeft", times=3)
    browser.key("Enter")
    browser.wait(f"{COMMAND.format('track')} !== {command!r}")
    clean(browser, studio)


def test_a_digit_that_is_moved_by_hand_is_followed(browser: Browser, studio: Studio) -> None:
    begin(browser, studio, "track")
    browser.click(".panel-track [data-mode=hand]")
    sure = "document.querySelector('.panel-track .answer').textContent.endsWith('% sure')"
    browser.wait(sure)
    seen = "document.querySelector('.panel-track .sight').toDataURL()"
    before = browser.run(seen)
    left, top, width, height = browser.box(".panel-track .scene")
    browser.mouse("mousePressed", left + width / 2, top + height / 2)
    for k in range(24):
        browser.mouse("mouseMoved", left + width * (0.5 + 0.006 * k), top + height * (0.5 + 0.003 * k))
        browser.run("new Promise((resolve) => setTimeout(resolve, 50))")
    browser.mouse("mouseReleased", left + 0.64 * width, top + 0.57 * height)
    assert browser.run(seen) != before
    browser.wait(sure)
    browser.wait("Number(document.querySelector('.panel-track .scene').dataset.answerMs) < 500")
    browser.click(".panel-track [data-part=wall]")
    browser.run("document.querySelector('.panel-track .scene').focus()")
    for _ in range(3):  # with great leaps, behind the wall: it is lost
        for key in ("ArrowRight", "ArrowLeft", "ArrowRight"):
            browser.call("Input.dispatchKeyEvent", type="keyDown", key=key, modifiers=8)
            for _ in range(5):
                browser.call("Input.dispatchKeyEvent", type="keyDown", key=key, modifiers=8)
    browser.wait("document.querySelector('.panel-track .chart span.lost') !== null", 30)
    browser.click("[data-mode=clip]")
    clean(browser, studio)


def test_a_sentence_is_typed_and_translated(browser: Browser, studio: Studio) -> None:
    begin(browser, studio, "translate")
    words = TEXTS.format(".panel-translate .writes span:not([hidden])") + ".join('')"
    slider = SLIDER.format("translate")
    over = f"Number({slider}.max) > 0 && {slider}.value === {slider}.max"
    browser.wait(over)
    browser.run("document.querySelector('.panel-translate textarea').select()")
    browser.call("Input.insertText", text="Ein Hund läuft über die Straße.")
    browser.key("Enter", "\r")
    shown = set()
    while not browser.run(f"{over} && {words}.startsWith('A dog ')"):
        shown.add(browser.run(words))
        time.sleep(0.05)
    assert len(shown) > 4, "word by word"
    label = browser.run("document.querySelector('.panel-translate .matrix').getAttribute('aria-label')")
    assert "dog: hund" in label
    translator: Any = saccade.load("translate-de-en")
    (expected,) = translator.write("Ein Hund läuft über die Straße.", candidates=5)
    texts = browser.run(TEXTS.format(".panel-translate .beam .text"))
    assert texts == [one.text for one in expected.candidates]
    assert json.dumps("Straße", ensure_ascii=False).strip('"') in browser.run(COMMAND.format("translate"))
    clean(browser, studio)
