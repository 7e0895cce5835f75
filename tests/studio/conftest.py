"""One studio, one browser and one static site for all tests here."""

import asyncio
import functools
import lzma
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from saccade.pipeline.panel import Live
from saccade.studio.networks import Networks
from saccade.studio.panels import panels
from saccade.studio.site import LARGEST, write_site
from tests.studio.browser import Browser
from tests.studio.running import Quiet, Studio


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


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an exported site on a file server."""
    folder = tmp_path_factory.mktemp("site") / "site"
    assert write_site(folder)["bytes"] <= LARGEST
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="package")
def ask() -> Iterator[Any]:
    """A function that asks a panel and returns the events of the answer."""
    with asyncio.Runner() as runner:
        networks = Networks(panels())

        async def opened() -> dict[str, Live]:
            networks.start()
            return {name: await networks.live(name) for name in networks.panels}

        live = runner.run(opened())

        def asking(panel: str, what: str, **arguments: Any) -> list[Any]:
            async def events() -> list[Any]:
                operation = live[panel].operations[what]
                return [event async for event in operation.answer(operation.request.model_validate(arguments))]

            return runner.run(events())

        yield asking
        networks.close()
