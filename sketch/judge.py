"""A reader as judge of drawings by class: the share of drawings that it reads as the requested class."""

from pathlib import Path

import torch

from saccade.errors import InputError
from saccade.json_types import Record
from saccade.pipeline.evaluate.classification import confusion, error_percent
from saccade.pipeline.trained import open_trained
from saccade.sketch.artist import TEMPERATURE, Artist
from saccade.sketch.model import Given
from saccade.sketch.source import Strokes


def open_judge(artist: Artist, path: Path) -> Artist:
    """Open the reader that judges the drawings of `artist`.

    Raises:
        InputError: a network without labels, no reader, or one of other classes or drawings.
    """
    if not artist.config.labelled:
        raise InputError("a network that was trained with labels", "one without", "train one with --labelled")
    judge = open_trained(path, "sketch")
    assert isinstance(judge, Artist)
    if judge.config.task != "read":
        raise InputError("a reader as judge", f"a network that draws in {path}", "train one with --task read")
    if judge.facts.classes != artist.facts.classes:
        do = "train one on the same data"
        raise InputError("a reader of the classes that are drawn", ", ".join(judge.facts.classes)[:200], do)
    return judge


def agreement(artist: Artist, judge: Artist, each: int, temperature: float = TEMPERATURE) -> Record:
    """Measure the percentage of drawings that are read as the requested class, over `each` drawings of every class."""
    classes = artist.facts.classes
    requested = torch.arange(len(classes)).repeat_interleave(each)
    seed = artist.run.train.seed
    z = torch.randn(len(requested), artist.config.latent, generator=torch.Generator().manual_seed(seed))
    drawn = artist.draw(Given(z, requested), seed, temperature)
    gallery = drawn.trace.batch
    moves = gallery.moves.clone()
    moves[:, :, :2] *= artist.facts.unit / judge.facts.unit
    longest = torch.full_like(gallery.lengths, judge.facts.longest)
    answers = judge.log_probabilities(Strokes(moves, gallery.lengths.clamp(min=1), requested, longest))
    found = {
        "by": judge.folder.path.name,
        "samples_per_class": each,
        "temperature": temperature,
        "agreement_percent": 100 - error_percent(answers, requested),
        "unfinished": drawn.unfinished,
    }
    return {"judged": found, "judged_confusion": confusion(answers, requested)}
