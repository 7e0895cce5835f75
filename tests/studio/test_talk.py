"""The server: who may enter, what a message may be, and that nobody else hears of a fault."""

import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from websockets import Origin
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from saccade.cli import app
from tests.studio.running import Studio

IMAGE = b64encode(bytes(784)).decode()
LOOK = {"network": "ram-mnist", "image": IMAGE, "gazes": [{"policy": "learned"}], "glimpses": 7}
SKETCH: dict[str, Any] = {"network": "sketch-digits", "strokes": [], "count": 1, "seed": 0, "temperature": 0.4}


@contextmanager
def opened(studio: Studio, origin: str | None = "own") -> Iterator[ClientConnection]:
    """Open a connection, by default as the studio's own page makes it."""
    given = Origin(studio.origin) if origin == "own" else None if origin is None else Origin(origin)
    with connect(studio.talk, origin=given, max_size=None, compression=None) as socket:
        yield socket


def asked(number: int, what: str = "look", panel: str = "glimpse", **arguments: Any) -> str:
    """Return a request."""
    return json.dumps({"id": number, "panel": panel, "ask": what, "with": arguments or LOOK})


def answer(socket: ClientConnection) -> list[Any]:
    """Return the messages of one answer."""
    found = [json.loads(socket.recv(30))]
    while "event" in found[-1]:
        found.append(json.loads(socket.recv(30)))
    return found


def status(url: str, **headers: str) -> int:
    """Return the status of a GET."""
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=20) as found:
            return found.status
    except urllib.error.HTTPError as error:
        return error.code


def test_only_the_own_page_enters(studio: Studio) -> None:
    assert status(studio.url) == 200
    assert status(studio.url, Host="evil.example") == 421
    assert status(studio.url, Origin="http://evil.example") == 403
    for origin in ("http://evil.example", None):
        with pytest.raises(InvalidStatus), opened(studio, origin):
            pass


def test_files_stay_in_their_folders(studio: Studio) -> None:
    outside = ("../pyproject.toml", "panels/glimpse/../live.py", "panels/glimpse/%2e%2e/live.py", "panels/x/panel.js")
    for path in outside:
        assert status(studio.url + path) in (400, 404)
    with urllib.request.urlopen(studio.url) as found:
        assert "default-src 'none'" in found.headers["Content-Security-Policy"]
        assert found.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("{", "a message in JSON"),
        ("[" * 100_000, "a message in JSON"),
        ("[]", "a JSON object"),
        ('{"id": -1}', "a whole number as id"),
        ('{"id": NaN}', "a whole number as id"),
        ('{"id": 1}', "panel, ask and with"),
        (b"\x00\xff", "a text message"),
        (asked(1, panel="os"), "a panel: "),
        (asked(1, "__class__"), "one of frame, look"),
        (asked(1, **{**LOOK, "network": "../../etc"}), "one of ram-mnist"),
        (asked(1, **{**LOOK, "glimpses": 10**9}), "a valid glimpses"),
        (asked(1, **{**LOOK, "glimpses": "7"}), "a valid glimpses"),
        (asked(1, **{**LOOK, "image": "*" * 40}), "bytes in base64"),
        (asked(1, **{**LOOK, "image": IMAGE[:40]}), "784 bytes"),
        (asked(1, **{**LOOK, "gazes": [{"policy": "learned", "places": [[float("nan"), 0]]}]}), "a valid gazes"),
        (asked(1, "frame", width=8, height=8, channels=1, pixels=IMAGE), "64 bytes"),
        (asked(1, "frame", width=28, height=28, channels=1, pixels=IMAGE), "a digit in"),
        (asked(1, "write", "draw", network="draw-mnist", labels=[3], seed=0), "no class"),
        (asked(1, "write", "draw", network="draw-mnist-labelled", labels=[3], seed=2**80), "a valid seed"),
        (asked(1, "draw", "sketch", **{**SKETCH, "strokes": [[[0.5, 1e9]]]}), "a valid strokes"),
        (asked(1, "draw", "sketch", **{**SKETCH, "strokes": [[]]}), "a valid strokes"),
        (asked(1, "draw", "sketch", **{**SKETCH, "temperature": 0.0}), "a valid temperature"),
        (asked(1, "draw", "sketch", **{**SKETCH, "strokes": [[[0.5, 0.5], [0.5, 0.5]]]}), "a drawing of 2 points"),
        (asked(1, "look", "track", follows="x", count=1, pixels=IMAGE), "something that is followed"),
        (asked(1, "begin", "track", width=9999, height=32, channels=1, pixels="", box=[0.0] * 4), "a valid width"),
        (asked(1, "write", "translate", sentence="", beams=5), "a valid sentence"),
        (asked(1, "write", "translate", sentence=" ", beams=5), "a sentence"),
        (asked(1, "write", "translate", sentence="Hund", beams=10**6), "a valid beams"),
    ],
)
def test_bad_messages_get_one_line(studio: Studio, message: str | bytes, expected: str) -> None:
    with opened(studio) as socket:
        socket.send(message)
        error = answer(socket)[-1]["error"]
        assert error["expected"].startswith(expected)
        assert error["text"].startswith("expected ")
        assert "Traceback" not in error["text"]
        socket.send(asked(2))
        assert answer(socket)[-1] == {"id": 2, "done": True}  # the conversation goes on


def test_a_page_that_asks_too_much_is_refused_and_one_that_only_errs_is_cut_off(studio: Studio) -> None:
    with opened(studio) as socket:
        for number in range(40):
            socket.send(asked(number))
        ends = [message for message in (json.loads(socket.recv(30)) for _ in range(40)) if "event" not in message]
        assert any("at most 4 requests" in message["error"]["expected"] for message in ends if "error" in message)
    with opened(studio) as socket:
        for _ in range(100):
            socket.send("{")
            assert "error" in json.loads(socket.recv(30))
        with pytest.raises(ConnectionClosed):
            socket.recv(30)


def test_answers_end_when_they_are_cancelled_or_nobody_waits(studio: Studio) -> None:
    long = {"network": "draw-mnist", "labels": [-1] * 12, "seed": 0}
    for number in range(5):  # pages that vanish mid-stream
        with opened(studio) as socket:
            socket.send(asked(number, "write", "draw", **long))
            socket.recv(30)
            socket.socket.shutdown(2)
    with opened(studio) as socket:
        socket.send(asked(1, "write", "draw", **long))
        socket.recv(30)
        socket.send(json.dumps({"id": 1, "cancel": True}))
        socket.send(asked(2))
        while (message := json.loads(socket.recv(30))).get("id") != 2 or "event" in message:
            pass
        assert message == {"id": 2, "done": True}


def test_another_host_asks_for_its_token() -> None:
    running = Studio("--host", "127.0.0.2", "--token", "a-secret")
    try:
        base = running.origin + "/"
        assert running.url == f"{base}?token=a-secret"
        assert status(base) == 401
        assert status(f"{base}?token=another") == 401
        assert status(base, Cookie="saccade-studio=a-secret") == 200
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(running.url) as found:
            assert found.status == 200
        with pytest.raises(InvalidStatus), opened(running):
            pass
    finally:
        assert running.close() == ""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--port", "TAKEN"], "expected a free port"),
        (["--host", "no such host"], "expected an address of this machine"),
        (["--host", "192.0.2.1"], "expected an address of this machine"),
        (["--port", "0"], "expected valid arguments"),
        (["--export", "setup"], "expected a folder for the site"),
    ],
)
def test_a_start_that_cannot_be_says_why(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "setup").write_text("a file")
    words = [studio.origin.rpartition(":")[2] if word == "TAKEN" else word for word in options]
    result = CliRunner().invoke(app, ["studio", "--no-browser", *words], prog_name="saccade")
    assert result.exit_code == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_survives_ten_thousand_hostile_messages() -> None:
    import random

    running, chance = Studio(), random.Random(0)
    seeds: list[str | bytes] = [asked(1), asked(2, "frame", width=28, height=28, channels=1, pixels=IMAGE)]
    seeds += [asked(3, "write", "draw", network="draw-mnist-labelled", labels=[1, 2], seed=1), "{}", b"\x00" * 100, ""]
    sent, middle = 0, 0
    try:
        while sent < 10_000:
            with opened(running) as socket:
                for _ in range(150):
                    message = _mutated(chance.choice(seeds), chance)
                    try:
                        socket.send(message)
                        if sent % 20 == 0:
                            socket.recv(5)
                    except (ConnectionClosed, TimeoutError):
                        break
                    sent += 1
            if sent > 3_000 and not middle:
                middle = running.memory()
        end = running.memory()
        with opened(running) as socket:
            socket.send(asked(1))
            assert answer(socket)[-1] == {"id": 1, "done": True}
        print(f"sent {sent:,}; memory after 3,000: {middle / 1e6:.0f} MB, at the end: {end / 1e6:.0f} MB")
        assert end < 1.1 * middle
    finally:
        assert running.close() == ""  # not one line about a fault of ours


def _mutated(message: str | bytes, chance: Any) -> str | bytes:
    """Change a message at random: bytes, lengths, types, nesting, size."""
    kind = chance.randrange(8)
    if kind == 0 or isinstance(message, bytes):
        return chance.randbytes(chance.randrange(2000))
    if kind == 1:
        return message * chance.randrange(1, 50)
    if kind == 2:
        return message[: chance.randrange(len(message) + 1)]
    if kind == 3:
        return '{"id":1,"with":' + "[" * chance.randrange(5000)
    if kind == 4:
        return message.replace("28", str(chance.choice([-1, 0, 10**30, "1e999", "null", '"x"'])))
    if kind == 5:
        return message.replace("learned", chance.choice(["__import__('os')", "'; drop", "\ud7ff", "{{7*7}}"]))
    if kind == 6:
        place = chance.randrange(max(1, len(message)))
        return message[:place] + chr(chance.randrange(32, 0x2FFF)) + message[place + 1 :]
    return "x" * chance.choice([10, 10**5, 2**21 + 2000])
