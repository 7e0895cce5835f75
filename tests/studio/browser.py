"""Headless Chromium, driven over its DevTools protocol: real pointer and key events, the console, every request."""

import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from base64 import b64decode
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

FLAGS = (
    "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
    "disable-component-update", "disable-sync", "disable-dev-shm-usage", "disable-extensions", "mute-audio",
    "remote-debugging-port=0", "remote-allow-origins=*",
)  # fmt: skip


class Browser:
    """One page of a headless Chromium with a new and empty profile."""

    def __init__(self, profile: Path) -> None:
        binary = shutil.which("chromium") or shutil.which("google-chrome")
        if binary is None:
            pytest.skip("no chromium")
        profile.mkdir(parents=True)
        words = [f"--{flag}" for flag in (*FLAGS, f"user-data-dir={profile}")]
        self.process = subprocess.Popen(
            [binary, *words, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.opened = ExitStack()
        port = self._port(profile / "DevToolsActivePort")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            target = next(page for page in json.load(answer) if page["type"] == "page")
        self.socket = self.opened.enter_context(connect(target["webSocketDebuggerUrl"], max_size=None))
        self.numbers = itertools.count(1)
        self.console: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    @staticmethod
    def _port(file: Path) -> int:
        for _ in range(600):
            if file.exists() and file.read_text().count("\n"):
                return int(file.read_text().split("\n")[0])
            time.sleep(0.05)
        raise AssertionError("chromium did not start")

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command and return its result; keep what the page says meanwhile."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=60))
            self._note(message)
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return message["result"]

    def _note(self, message: Any) -> None:
        method, found = message.get("method"), message.get("params", {})
        if method == "Runtime.consoleAPICalled":
            self.console.append(" ".join(str(item.get("value", item.get("description"))) for item in found["args"]))
        elif method == "Runtime.exceptionThrown":
            details = found["exceptionDetails"]
            self.console.append(str(details.get("exception", {}).get("description", details["text"])))
        elif method == "Log.entryAdded":
            self.console.append(f"{found['entry']['text']} {found['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(found["request"]["url"])

    def run(self, expression: str) -> Any:
        """Evaluate JavaScript, promises awaited, and return its value."""
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, expression: str, seconds: float = 20) -> Any:
        """Wait until an expression is true; return its value."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.run(expression):
                return value
            time.sleep(0.02)
        raise AssertionError(f"not within {seconds} s: {expression}; console: {self.console[-5:]}")

    def size(self, width: int, height: int, theme: str = "light", ratio: float = 1) -> None:
        """Set the page's size in CSS pixels and the theme that the user prefers."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=ratio, mobile=False
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def open(self, url: str, panel: str) -> None:
        """Open a panel and wait until it is there."""
        self.call("Page.navigate", url="about:blank")
        self.console.clear()
        self.requests.clear()
        self.call("Page.navigate", url=f"{url}#{panel}")
        self.wait(f"document.documentElement?.dataset?.ready === {panel!r}", 60)

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Return left, top, width, height of an element, scrolled into view."""
        found = self.run(
            f"(() => {{ const e = document.querySelector({selector!r}); e.scrollIntoView({{block: 'center'}}); "
            "const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()"
        )
        left, top, width, height = found
        return left, top, width, height

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Send one event of a pointing device: mousePressed, mouseMoved, mouseReleased."""
        held = 0 if kind == "mouseReleased" else 1
        button = "left" if kind != "mouseMoved" or held else "none"
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=held, clickCount=1)

    def drag(self, points: list[tuple[float, float]]) -> None:
        """Press at the first point, move through the others, release at the last."""
        self.mouse("mousePressed", *points[0])
        for point in points[1:]:
            self.mouse("mouseMoved", *point)
        self.mouse("mouseReleased", *points[-1])

    def click(self, selector: str) -> None:
        """Click in the middle of an element."""
        left, top, width, height = self.box(selector)
        self.drag([(left + width / 2, top + height / 2)])

    def key(self, key: str, text: str = "", times: int = 1) -> None:
        """Press a key."""
        for _ in range(times):
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def draw(self, selector: str, strokes: list[list[tuple[float, float]]], finely: int = 8) -> None:
        """Draw strokes in parts of an element's box, with `finely` events a piece."""
        left, top, width, height = self.box(selector)
        for stroke in strokes:
            points = []
            for (x, y), (u, v) in itertools.pairwise(stroke):
                points += [(x + (u - x) * k / finely, y + (v - y) * k / finely) for k in range(finely)]
            points.append(stroke[-1])
            self.drag([(left + x * width, top + y * height) for x, y in points])

    def picture(self, path: Path) -> None:
        """Write a picture of the whole page."""
        height = self.run("document.documentElement.scrollHeight")
        width = self.run("document.documentElement.clientWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(b64decode(found["data"]))

    def close(self) -> None:
        """End the browser."""
        self.opened.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
