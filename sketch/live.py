"""sketch-rnn's answers to its panel in the studio: endings of a begun drawing, move by move, and what a reader reads.

A page gives strokes in parts of its pad, on which a whole drawing's longer side takes `WHOLE`. With the same strokes,
seed and temperature the endings are those of `saccade sketch complete --whole`, and without strokes the drawings are
those of `saccade sketch generate`.
"""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from saccade.errors import InputError
from saccade.json_types import Record
from saccade.pipeline.panel import Live, Operation, Request, Steps
from saccade.pipeline.trained import AnyTrained
from saccade.recurrent.feedback import Fed, FeedbackState
from saccade.recurrent.tree import map_tensors, take
from saccade.sketch.artist import ROOM, Artist
from saccade.sketch.episodes import inputs_of, start
from saccade.sketch.mixture import END, LIFTED, density_on, mixture
from saccade.sketch.model import Given, PenInputs, Sketch
from saccade.sketch.pen_reader import PenReader, beliefs
from saccade.sketch.sampling import Chance, Pen, begin, noise_for, pen_of
from saccade.sketch.source import Strokes
from saccade.sketch.strokes import Points

WHOLE = 0.68
"""Longer side of a whole drawing, as a part of the pad's side."""

LIKELIEST, DIFFERENT = -1, -2
MOST_ENDINGS, MOST_STROKES, MOST_POINTS = 9, 60, 4_000
CELLS, REACH = 33, 0.4
"""Cells along a side of the next point's density, and how far it reaches from the pen, in parts of the pad."""

Coordinate = Annotated[float, Field(ge=-4, le=5)]
Point = Annotated[list[Coordinate], Field(min_length=2, max_length=2)]
StrokeOfPoints = Annotated[list[Point], Field(min_length=1, max_length=MOST_POINTS)]
AllStrokes = Annotated[list[StrokeOfPoints], Field(max_length=MOST_STROKES)]


class DrawRequest(Request):
    """A begun drawing, and how it shall go on."""

    network: str = Field(max_length=40)
    strokes: AllStrokes
    """In parts of the pad; none: draw from noise."""
    pen_down: bool = True
    """The last stroke is not finished."""
    label: int = Field(default=LIKELIEST, ge=DIFFERENT, lt=100)
    """Class to draw; LIKELIEST: the one that fits best, or without strokes any; DIFFERENT: each ending another one."""
    count: int = Field(ge=1, le=MOST_ENDINGS)
    seed: int = Field(ge=0, lt=2**32)
    temperature: float = Field(ge=0.01, le=4)
    most_strokes: int = Field(default=MOST_STROKES, ge=1, le=MOST_STROKES)
    """Strokes after which the pen is handed back."""
    density: bool = False
    """Give the density of the next point before every move."""


class ReadRequest(Request):
    """A drawing to read."""

    strokes: AllStrokes


class _Plan(NamedTuple):
    """All that the moves of an answer need."""

    state: FeedbackState
    context: Given
    chance: Chance
    unit: float
    """The network's unit of length in parts of the pad."""


class Sketching:
    """The panel's operations."""

    def __init__(self, networks: Mapping[str, AnyTrained], steps: Mapping[str, Steps]) -> None:
        artists = {name: network for name, network in networks.items() if isinstance(network, Artist)}
        self.draws = {name: artist for name, artist in artists.items() if isinstance(artist.core, Sketch)}
        self.reader = next(name for name in artists if name not in self.draws)
        self.artists, self.steps = artists, steps
        self.pens = {name: _pen(artist) for name, artist in self.draws.items()}

    async def draw(self, request: DrawRequest) -> AsyncIterator[Record]:
        """Yield the class, then every move of all endings: dx and dy in parts of the pad, and the pen's state after it.

        Raises:
            InputError: no such network or class, strokes that are no drawing, or as long as the longest drawing.
        """
        artist = self.draws.get(request.network)
        if artist is None:
            raise InputError(f"one of {', '.join(self.draws)}", f"{request.network!r}", "reload the page")
        steps, pen = self.steps[request.network], self.pens[request.network]
        plan = await steps.call(_planned, artist, request)
        state, going = plan.state, [request.most_strokes] * request.count
        yield {"classes": [artist.facts.classes[label] for label in plan.context.labels.tolist()]}
        for t in range(len(plan.chance.numbers)):
            fed, state = await steps.step(pen, take(plan.chance, t), state, plan.context)
            event: Record = {"t": t, "moves": _moves(fed, plan.unit, going)}
            if request.density:
                event["density"] = await steps.call(_densities, fed, plan.unit, going)
            yield event
            if not any(going):
                return

    async def read(self, request: ReadRequest) -> AsyncIterator[Record]:
        """Yield what the reader believes after every move.

        Raises:
            InputError: strokes that are no drawing.
        """
        beliefs = await self.steps[self.reader].call(_read, self.artists[self.reader], request)
        yield {"beliefs": torch.round(beliefs.double(), decimals=4).tolist()}

    def facts(self) -> Record:
        """Return what the page must know of the networks."""
        return {
            "whole": WHOLE,
            "cells": CELLS,
            "reach": REACH,
            "reader": {"name": self.reader, **_facts(self.artists[self.reader])},
            "networks": {name: _facts(artist) for name, artist in self.draws.items()},
        }


def _pen(artist: Artist) -> Pen:
    assert isinstance(artist.core, Sketch)
    return pen_of(artist.core)


def _points(strokes: list[list[list[float]]]) -> list[Points]:
    return [np.array(stroke, np.float64) for stroke in strokes]


def _planned(artist: Artist, request: DrawRequest) -> _Plan:
    """Return the pen after the begun strokes, z and the noise of all moves, as `Artist.complete` and `generate` do."""
    count, facts = request.count, artist.facts
    if request.label >= len(facts.classes):
        raise InputError(f"a class below {len(facts.classes)}", str(request.label), "reload the page")
    assert isinstance(artist.core, Sketch)
    if request.strokes:
        begun = artist.strokes_of(_points(request.strokes), whole=WHOLE, pen_down=request.pen_down)
        given = int(begun.lengths[0])
        if given >= facts.longest:
            found = f"{given} moves"
            raise InputError(f"fewer moves than the longest drawing's {facts.longest}", found, "undo, or begin again")
        whole = Strokes(*(leaf.expand(count, *leaf.shape[1:]) for leaf in begun))
        context, first = artist.imagined(whole, _labels(artist, begun, request), request.seed), inputs_of(whole)
    else:
        context, first = (
            artist.noise_of(count, max(LIKELIEST, request.label), request.seed),
            PenInputs(start(count)[None]),
        )
    noise = noise_for(ROOM * facts.longest, count, torch.Generator().manual_seed(request.seed + 1))
    chance = Chance(noise, torch.full_like(noise[..., 0], request.temperature))
    return _Plan(begin(artist.core, context, first), context, chance, facts.unit * WHOLE / facts.size)


def _labels(artist: Artist, begun: Strokes, request: DrawRequest) -> Tensor:
    """Return the class of each ending."""
    if request.label == DIFFERENT and artist.config.labelled:
        order = artist.log_probabilities(begun)[0].argsort(descending=True)
        return order[torch.arange(request.count) % len(order)]
    label = request.label if request.label >= 0 else artist.likeliest(begun)
    return torch.full((request.count,), label)


def _moves(fed: Fed, unit: float, going: list[int]) -> list[list[float] | None]:
    """Return the moves of the endings that go on; count the strokes that each may still draw down."""
    found: list[list[float] | None] = []
    for k, (dx, dy, *pen) in enumerate(fed.choice.move.tolist()):
        if not going[k]:
            found.append(None)
            continue
        state = pen.index(max(pen))
        going[k] = 0 if state == END else going[k] - (state == LIFTED)
        found.append([round(dx * unit, 5), round(dy * unit, 5), state])
    return found


def _densities(fed: Fed, unit: float, going: list[int]) -> list[str]:
    """Return where the point of this move may be, around the pen: the square root of the density, in base64."""
    along = torch.linspace(-REACH, REACH, CELLS) / unit
    found = []
    for k in range(len(going)):
        shade = density_on(map_tensors(lambda leaf, k=k: leaf[k], mixture(fed.output.y)), along, along).sqrt()
        levels: Tensor = (255 * shade / shade.max().clamp(min=1e-9)).round().to(torch.uint8)
        found.append(b64encode(levels.numpy().tobytes()).decode())
    return found


def _read(reader: Artist, request: ReadRequest) -> Tensor:
    """Return the reader's belief after every move [T, K]."""
    assert isinstance(reader.core, PenReader)
    return beliefs(reader.core, reader.strokes_of(_points(request.strokes)), reader.config)[:, 0]


def _facts(artist: Artist) -> Record:
    """Return what the page must know of a network, and static pages of its inputs."""
    facts, config = artist.facts, artist.config
    return {
        "classes": list(facts.classes),
        "labelled": config.labelled,
        "longest": facts.longest,
        "most": ROOM * facts.longest,
        "latent": config.latent,
        "unit": facts.unit,
        "size": facts.size,
        "tolerance": artist.run.data.simplify or 2.0,
    }


def open_live(networks: Mapping[str, AnyTrained], steps: Mapping[str, Steps]) -> Live:
    """Return the live half of sketch-rnn's panel."""
    sketching = Sketching(networks, steps)
    operations = {"draw": Operation(DrawRequest, sketching.draw), "read": Operation(ReadRequest, sketching.read)}
    return Live(sketching.facts(), operations)
