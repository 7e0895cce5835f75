"""The translator's answers to its panel in the studio: the growing beams, then the translation and its attention."""

from collections.abc import AsyncIterator, Mapping

from pydantic import Field

from saccade.json_types import Record
from saccade.pipeline.panel import Live, Operation, Request, Steps
from saccade.pipeline.trained import AnyTrained
from saccade.translate.translator import Candidate, Translator
from saccade.translate.writing import Translated, Writing

LONGEST, MOST_BEAMS = 300, 10


class WriteRequest(Request):
    """A sentence to translate."""

    sentence: str = Field(min_length=1, max_length=LONGEST)
    beams: int = Field(ge=1, le=MOST_BEAMS)


class Translating:
    """The panel's operation."""

    def __init__(self, network: Translator, steps: Steps | None) -> None:
        self.network, self.steps = network, steps

    async def write(self, request: WriteRequest) -> AsyncIterator[Record]:
        """Yield the beams after every symbol, then the candidates and the attention of the best one.

        Raises:
            InputError: a sentence that is empty, too long, or in letters none of which the network knows.
        """
        assert self.steps is not None
        writing = await self.steps.call(Writing, self.network, request.sentence, request.beams)
        while not writing.done:  # a symbol at a time, so that other pages get their turn
            beams = await self.steps.call(writing.step)
            yield {"step": writing.steps, "beams": _told(beams)}
        found: Translated = await self.steps.call(writing.found)
        yield {
            "candidates": _told(found.candidates),
            "read": found.grid.read,
            "written": found.grid.written,
            "weights": [[round(weight, 4) for weight in row] for row in found.grid.weights.tolist()],
            "unknown": found.unknown,
        }


def _told(candidates: list[Candidate]) -> list[Record]:
    return [{"text": one.text, "score": round(one.score, 4)} for one in candidates]


def open_live(networks: Mapping[str, AnyTrained], steps: Mapping[str, Steps]) -> Live:
    """Return the live half of the translator's panel."""
    ((name, network),) = networks.items()
    assert isinstance(network, Translator)
    translating = Translating(network, steps.get(name))
    facts = {
        "network": name,
        "source": network.facts.source,
        "target": network.facts.target,
        "beams": network.config.beams,
        "longest": LONGEST,
    }
    return Live(facts, {"write": Operation(WriteRequest, translating.write)})
