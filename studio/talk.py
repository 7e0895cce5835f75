"""One page's WebSocket: its messages are checked, its requests answered event by event, its faults told in one line.

A page sends `{"id": 1, "panel": "glimpse", "ask": "look", "with": {...}}` and gets `{"id": 1, "event": {...}}` for
every event, then `{"id": 1, "done": true}` or `{"id": 1, "error": {"expected", "found", "do"}}`. A message
`{"id": 1, "cancel": true}` ends an answer. Nothing of a message is ever evaluated or kept.
"""

import asyncio
import contextlib
import json
import logging
from typing import Any

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from saccade.errors import InputError, shown
from saccade.json_types import Record
from saccade.studio.networks import Networks

LARGEST_MESSAGE = 2**21
"""Bytes of a message: a picture of 640 x 640 pixels in three colours, in base64, fits."""

MOST_ANSWERS = 4
"""Answers that one page may wait for at once."""

MOST_FAULTS = 100
"""Faulty messages after which a page is cut off."""

LONGEST_SECONDS = 30.0
"""Time for one answer."""

POLICY, TOO_BIG = 1008, 1009
"""Codes with which a WebSocket is closed."""

RELOAD = "reload the page"

log = logging.getLogger("saccade")


class Talk:
    """The conversation with one page."""

    def __init__(self, socket: WebSocket, networks: Networks) -> None:
        self.socket, self.networks = socket, networks
        self.answers: dict[int, asyncio.Task[None]] = {}
        self.faults = 0
        self.sending = asyncio.Lock()

    async def run(self) -> None:
        """Talk until the page goes away."""
        await self.socket.accept()
        try:
            while self.faults < MOST_FAULTS:
                message = await self.socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                await self._take(message)
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await self.socket.close(POLICY, "too many faulty messages")
        finally:
            waiting = list(self.answers.values())
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _take(self, message: Any) -> None:
        number = None
        try:
            asked = _parsed(message)
            number = _number(asked)
            if asked.get("cancel") is True:
                if task := self.answers.get(number):
                    task.cancel()
                return
            panel, ask, arguments = asked.get("panel"), asked.get("ask"), asked.get("with")
            if not (isinstance(panel, str) and isinstance(ask, str) and isinstance(arguments, dict)):
                raise InputError("panel, ask and with in a request", shown(sorted(asked)), RELOAD)
            if number in self.answers or len(self.answers) >= MOST_ANSWERS:
                raise InputError(f"at most {MOST_ANSWERS} requests at once", "more", "wait for an answer")
        except InputError as error:
            self.faults += 1
            await self._send({"id": number, "error": _told(error)})
            return
        task = asyncio.create_task(self._answer(number, panel, ask, arguments))
        self.answers[number] = task
        task.add_done_callback(lambda _: self.answers.pop(number, None))

    async def _answer(self, number: int, panel: str, ask: str, arguments: Record) -> None:
        error = None
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                live = await self.networks.live(panel)
                operation = live.operations.get(ask)
                if operation is None:
                    raise InputError(f"one of {', '.join(live.operations)}", shown(ask, 40), RELOAD)
                request = operation.request.model_validate(arguments)
                async for event in operation.answer(request):
                    await self._send({"id": number, "event": event})
            await self._send({"id": number, "done": True})
        except InputError as failure:
            error = failure
        except ValidationError as failure:
            self.faults += 1
            error = _invalid(failure)
        except TimeoutError:
            error = InputError(f"an answer within {LONGEST_SECONDS:.0f} s", "a longer one", "ask for less")
        except (WebSocketDisconnect, RuntimeError) as failure:
            if self.socket.client_state is WebSocketState.CONNECTED and isinstance(failure, RuntimeError):
                error = self._fault(panel, ask, failure)
        except Exception as failure:
            error = self._fault(panel, ask, failure)
        if error is not None:
            await self._send({"id": number, "error": _told(error)})

    def _fault(self, panel: str, ask: str, failure: Exception) -> InputError:
        """Log a fault of ours in one line; the page is told no more than that there was one."""
        log.warning("the studio failed to answer %s.%s: %s: %.200s", panel, ask, type(failure).__name__, failure)
        return InputError("an answer", "a fault of the studio", "try again; the terminal has a line about it")

    async def _send(self, message: Record) -> None:
        text = json.dumps(message, separators=(",", ":"), allow_nan=False)
        async with self.sending:
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the page has gone
                await self.socket.send_text(text)


def _parsed(message: Any) -> Record:
    """Return a message as a JSON object.

    Raises:
        InputError: bytes, too long, no JSON, no object.
    """
    text = message.get("text")
    if not isinstance(text, str):
        raise InputError("a text message", "bytes", RELOAD)
    if len(text) > LARGEST_MESSAGE:
        raise InputError(f"at most {LARGEST_MESSAGE} characters", f"{len(text)}", "send a smaller picture")
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("a message in JSON", "something else", RELOAD) from None
    if not isinstance(asked, dict):
        raise InputError("a JSON object", type(asked).__name__, RELOAD)
    return asked


def _number(asked: Record) -> int:
    number = asked.get("id")
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**53:
        raise InputError("a whole number as id", shown(number, 40), RELOAD)
    return number


def _invalid(failure: ValidationError) -> InputError:
    """Return pydantic's first complaint in the form expected, found, do."""
    first = failure.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:80] or "the request"
    message = first["msg"][:1].lower() + first["msg"][1:]
    return InputError(f"a valid {where} ({message})", shown(first.get("input"), 40), "change it")


def _told(error: InputError) -> Record:
    return {"expected": error.expected, "found": error.found, "do": error.do, "text": str(error)}
