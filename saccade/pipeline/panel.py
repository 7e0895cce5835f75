"""A system's panel in the studio, the page in the browser. Torch-free.

A system brings its panel in two optional modules of its package, which the studio finds by their names:

- `panel.py`: `PANEL`, a `Panel` (torch-free: what the page shows before a network is open);
- `live.py`: `open_live`, which answers the panel's requests with the panel's networks.

The folder `page` of the package holds the browser's half: `panel.html`, `panel.js`, `panel.css`, and for the static
page `static.js`, which answers the same requests with exported graphs. See docs/new-system.md.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from saccade.json_types import Record

Result = TypeVar("Result")


@dataclass(frozen=True)
class Panel:
    """A panel, as the page lists it."""

    title: str
    """Its name in the menu, a verb: "Look"."""
    about: str
    """The sentence under its title."""
    networks: tuple[str, ...]
    """Shipped networks that it uses."""
    order: int = 100
    """Place in the menu: the smallest is first."""
    graphs: tuple[tuple[str, str], ...] = ()
    """(network, graph) pairs that `static.js` uses, see `saccade.pipeline.graph`; empty: not in the static page."""


class Request(BaseModel):
    """Base of what a page may ask: strict types and bounds, unknown fields are refused, infinities too."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Steps(Protocol):
    """The thread of one network: it takes the steps that all pages wait for in one batch."""

    async def step(self, core: Any, inputs: Any, state: Any, context: Any) -> tuple[Any, Any]:
        """Take one step of an unroll, together with other pages' steps of the same core and structure.

        Args:
            inputs: of this step, every leaf [B, ...].
            state: before the step, every leaf [B, ...].
            context: as for `unroll`, every leaf [B, ...].

        Returns:
            The outputs of this step, after `readout`, and the state.
        """
        ...

    async def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run any other work in the thread."""
        ...

    def initial(self, core: Any, examples: int) -> Awaitable[Any]:
        """Return the state before the first step."""
        ...


class Operation(NamedTuple):
    """One thing that a page may ask."""

    request: type[Request]
    """Its arguments."""
    answer: Callable[..., AsyncIterator[Record]]
    """From the request to the events of the answer, JSON objects."""


class Live(NamedTuple):
    """A panel with its networks open."""

    facts: Record
    """Facts that the page needs before it asks: sizes, numbers of steps, classes."""
    operations: Mapping[str, Operation]
    """By their names."""


OpenLive = Callable[[Mapping[str, Any], Mapping[str, Steps]], Live]
"""`open_live(networks, steps)`: the panel's trained networks and their threads, by the networks' names."""
