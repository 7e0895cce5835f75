"""A classifier as judge of drawings by class: the share of drawings that it reads as the requested class."""

from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from saccade.draw.painter import Painter
from saccade.errors import InputError
from saccade.images.source import ImageBatch, ImageSource
from saccade.images.system import ImageTrained
from saccade.json_types import Record
from saccade.pipeline.contract import EXAMPLES_AT_ONCE, Split
from saccade.pipeline.evaluate.classification import confusion, error_percent
from saccade.pipeline.progress import track
from saccade.pipeline.trained import open_trained

Judge: TypeAlias = ImageTrained[Any]
"""A trained classifier of any system."""


def open_judge(painter: Painter, path: Path) -> Judge:
    """Open the trained classifier, of any system, that judges the drawings of `painter`.

    Raises:
        InputError: a network without labels, no trained classifier, or one for other images or classes.
    """
    if not painter.config.labelled:
        do = "train one with --labelled, or leave --judge out"
        raise InputError("a network that was trained with labels", f"one without in {painter.folder.path}", do)
    judge = open_trained(path)
    if judge.facts != painter.facts:
        found = f"one of other data ({'; '.join(painter.facts.differences(judge.facts)):.200}) in {path}"
        raise InputError("a classifier of the images and classes that are drawn", found, "train one on the same data")
    assert isinstance(judge, ImageTrained)
    blank = torch.zeros(1, *painter.facts.shape[:3])
    if not hasattr(judge.look(ImageBatch(blank, torch.zeros(1, dtype=torch.int64))).outputs, "logits"):
        found = f"a run of {judge.run.system} in {path}"
        raise InputError("the run of a classifier", found, "train one, e.g. with `saccade baseline train`")
    return judge


@torch.no_grad()
def agreement(painter: Painter, judge: Judge, source: ImageSource, split: Split, each: int) -> Record:
    """Measure the percentage of drawings read as the requested class, over `each` drawings of every class.

    Its percentage on the held-out images is the most that drawings can be expected to reach.
    """
    classes, seed = painter.facts.classes, painter.run.train.seed
    requested = torch.arange(len(classes)).repeat_interleave(each)
    parts = requested.split(EXAMPLES_AT_ONCE)
    drawn = [
        ImageBatch(painter.of_classes(labels, seed + i).batch.images, labels)
        for i, labels in enumerate(track(parts, "drawing for the judge", len(parts)))
    ]
    real = source.held_out(split)
    answers: Tensor = torch.cat([judge.logits(batch) for batch in drawn])
    known = judge.logits(real)
    by_class: dict[str, float] = {}
    for k, name in enumerate(classes):
        of_class = requested == k
        by_class[name] = 100 - error_percent(answers[of_class], requested[of_class])
    judged = {
        "by": str(judge.folder.path),
        "samples_per_class": each,
        "agreement_percent": 100 - error_percent(answers, requested),
        "held_out_agreement_percent": 100 - error_percent(known, real.labels.cpu()),
    }
    return {
        "judged": judged,
        "judged_agreement_percent_per_class": by_class,
        "judged_confusion": confusion(answers, requested),
    }
