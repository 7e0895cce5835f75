"""The networks of all panels, opened in the background after the page is served."""

import asyncio
import threading
from typing import Any

from saccade.errors import InputError
from saccade.pipeline import systems
from saccade.pipeline.panel import Live, Panel


class Networks:
    """Opens every panel's networks once, each with its thread, and gives the panels' live halves."""

    def __init__(self, panels: dict[str, Panel]) -> None:
        self.panels = panels
        self._live: dict[str, asyncio.Future[Live]] = {}
        self._workers: dict[str, Any] = {}

    def start(self) -> None:
        """Begin to open them. Call in the server's loop."""
        loop = asyncio.get_running_loop()
        for name in self.panels:
            self._live[name] = loop.create_future()
            self._live[name].add_done_callback(lambda done: done.cancelled() or done.exception())
        threading.Thread(target=self._open, args=(loop,), name="opening networks", daemon=True).start()

    def close(self) -> None:
        """End the networks' threads."""
        for worker in self._workers.values():
            worker.close()

    async def live(self, name: str) -> Live:
        """Return a panel's live half; wait until its networks are open.

        Raises:
            InputError: no such panel, or a network that cannot be opened.
        """
        if name not in self._live:
            raise InputError(f"a panel: {', '.join(self._live)}", f"{name!r:.40}", "reload the page")
        return await asyncio.shield(self._live[name])

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        networks: dict[str, Any] = {}
        for name, panel in self.panels.items():
            try:
                live: Live | None = self._one(name, panel, networks)
                error = None
            except Exception as failure:
                live, error = None, failure
            loop.call_soon_threadsafe(_settle, self._live[name], live, error)

    def _one(self, name: str, panel: Panel, networks: dict[str, Any]) -> Live:
        import torch

        from saccade.pipeline.trained import open_trained
        from saccade.studio.worker import Worker

        torch.set_num_threads(1)
        for wanted in panel.networks:
            if wanted not in networks:
                networks[wanted] = open_trained(wanted)
                networks[wanted].core.requires_grad_(False)
                self._workers[wanted] = Worker(wanted)
        own = {wanted: networks[wanted] for wanted in panel.networks}
        return systems.module(name, "live").open_live(own, {wanted: self._workers[wanted] for wanted in own})


def _settle(future: "asyncio.Future[Live]", live: Live | None, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    elif live is not None:
        future.set_result(live)
