"""The Sketch panel's answers without Python are Python's: simplified strokes, z, and every move."""

import json
import math
from typing import Any

import numpy as np
import pytest

from tests.studio.browser import Browser
from tests.studio.running import Studio
from tests.studio.test_site import ask

pytestmark = pytest.mark.slow

ANGLES = [math.pi * (1.05 + 1.15 * (k / 40) ** 1.1) for k in range(41)]  # no symmetry: a tie may be broken either way
ARC = [[0.5 + 0.2 * math.cos(angle), 0.37 + 0.19 * math.sin(angle)] for angle in ANGLES]
MARK = [[0.3, 0.3], [0.31, 0.42], [0.3, 0.7]]
ASKED: dict[str, dict[str, Any]] = {
    "different digits": {"network": "sketch-digits", "strokes": [ARC], "label": -2},
    "the likeliest, lifted": {"network": "sketch-digits", "strokes": [ARC, MARK], "pen_down": False, "density": True},
    "from noise": {"network": "sketch-digits", "strokes": [], "label": -1},
    "a character": {"network": "sketch-omniglot", "strokes": [MARK], "most_strokes": 1},
}  # fmt: skip


def test_endings_and_readings_are_pythons(browser: Browser, studio: Studio, site: str) -> None:
    more = {"count": 4, "seed": 5, "temperature": 0.4}
    found: dict[tuple[str, str], Any] = {}
    for address, engine in ((site, "still.js"), (studio.url, "talk.js")):
        browser.open(address, "sketch")
        browser.run("delete window.engine; 0")
        for name, request in ASKED.items():
            found[engine, name] = ask(browser, engine, "sketch", "draw", json.dumps(request | more))
        found[engine, "read"] = ask(browser, engine, "sketch", "read", json.dumps({"strokes": [ARC, MARK]}))
    for name in ASKED:
        ours, theirs = found["still.js", name], found["talk.js", name]
        assert ours[0] == theirs[0], name
        assert len(ours) == len(theirs) > 1
        for one, other in zip(ours[1:], theirs[1:], strict=True):
            assert [move is None for move in one["moves"]] == [move is None for move in other["moves"]]
            for a, b in zip(one["moves"], other["moves"], strict=True):
                np.testing.assert_allclose(a or [0], b or [0], atol=2e-3)
        assert ("density" in ours[1]) == ASKED[name].get("density", False)
    one, other = (np.array(found[engine, "read"][0]["beliefs"]) for engine in ("still.js", "talk.js"))
    np.testing.assert_allclose(one, other, atol=1e-3)
