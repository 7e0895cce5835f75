"""The studio's server: the page's files, the panels' facts, and a WebSocket on which networks answer step by step."""

import contextlib
import secrets
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from saccade.errors import InputError
from saccade.pipeline import progress
from saccade.pipeline.panel import Panel
from saccade.studio import panels as own_panels
from saccade.studio.guard import LOOPBACK, Guard
from saccade.studio.networks import Networks
from saccade.studio.talk import LARGEST_MESSAGE, Talk

PORT = 8700
"""The first port that is tried if none is asked for."""

MOST_PAGES = 200
"""Most connections at once."""


def application(panels: dict[str, Panel], token: str | None = None) -> Starlette:
    """Return the studio as an ASGI application."""
    networks, page = Networks(panels), own_panels.PAGE
    menu = own_panels.menu(panels, live=True)

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        networks.start()
        try:
            yield
        finally:
            networks.close()

    async def listing(_: Request) -> Response:
        return JSONResponse(menu)

    async def facts(request: Request) -> Response:
        try:
            return JSONResponse((await networks.live(request.path_params["name"])).facts)
        except InputError as error:
            return JSONResponse({"error": str(error)}, 404)

    async def talk(websocket: WebSocket) -> None:
        await Talk(websocket, networks).run()

    routes = [
        Route("/studio.json", listing, methods=["GET"]),
        Route("/panels/{name}/facts.json", facts, methods=["GET"]),
        WebSocketRoute("/talk", talk),
        *(Mount(f"/panels/{name}", StaticFiles(directory=own_panels.folder_of(name))) for name in panels),
        Mount("/", StaticFiles(directory=page, html=True)),
    ]
    app = Starlette(routes=routes, lifespan=life)
    app.add_middleware(Guard, token=token)
    return app


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that is bound to an address; without a port, to the first free one from `PORT` on.

    Raises:
        InputError: no such address, or a port that is taken.
    """
    failure: OSError | None = None
    for candidate in [port] if port is not None else [*range(PORT, PORT + 20), 0]:
        try:
            found = socket.getaddrinfo(host, candidate, type=socket.SOCK_STREAM)[0]
            bound = socket.socket(found[0], socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else asyncio leaves Nagle on
        except (OSError, UnicodeError) as error:
            raise InputError("an address of this machine for --host", f"{host!r:.60} ({error})", "change it") from None
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(found[4])
            bound.listen(128)
        except OSError as error:
            bound.close()
            failure = error
        else:
            return bound
    what = "a free port" if port is not None else "an address of this machine for --host"
    found = f"{failure.strerror if failure else 'none'} at {host}" + (f":{port}" if port is not None else "")
    raise InputError(what, found, "give another --port" if port is not None else "change it")


def token_for(host: str, token: str | None) -> str | None:
    """Return the token to ask for: none on a loopback address, unless one is given."""
    return token or (None if host in LOOPBACK else secrets.token_urlsafe(16))


def address(bound: socket.socket, host: str, token: str | None) -> str:
    """Return the address to open."""
    port, name = bound.getsockname()[1], f"[{host}]" if ":" in host else host
    if host in ("0.0.0.0", "::"):
        name = socket.gethostname()
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


def serve(bound: socket.socket, url: str, token: str | None, *, browser: bool) -> None:
    """Serve the studio until Ctrl-C; open the browser once it is served."""
    config = uvicorn.Config(
        application(own_panels.panels(), token),
        http="h11",
        ws="websockets-sansio",
        ws_max_size=LARGEST_MESSAGE + 2**10,
        ws_per_message_deflate=False,
        ws_ping_interval=20.0,
        ws_ping_timeout=20.0,
        limit_concurrency=MOST_PAGES,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=2**14,
        log_level="critical",
        access_log=False,
        server_header=False,
        lifespan="on",
    )
    if browser:
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()  # the socket already listens
    with progress.shown_by(None):  # a bar for every picture that a page sends would fill the terminal
        uvicorn.Server(config).run(sockets=[bound])
