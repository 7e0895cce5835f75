"""A classifier as judge of drawings that were made by class: does it read the class that was asked for?"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saccade.draw.painter import Painter
from saccade.errors import InputError
from saccade.images.source import ImageBatch, ImageSource
from saccade.images.system import ImageTrained
from saccade.pipeline.contract import EXAMPLES_AT_ONCE, Split
from saccade.pipeline.evaluate.classification import confusion, error_percent
from saccade.pipeline.progress import track
from saccade.pipeline.trained import open_trained


def open_judge(painter: Painter, path: Path) -> ImageTrained[Any]:
    """Open the trained classifier, of whatever system, that is to judge what `painter` draws.

    Raises:
        InputError: a network that draws no classes, no trained classifier, or one of other images or classes.
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
def agreement(
    painter: Painter, judge: ImageTrained[Any], source: ImageSource, split: Split, each: int
) -> dict[str, Any]:
    """Measure how often the judge reads the class that was asked for, percent, over `each` mean images of every class.

    Next to it stands how often it is right on the held-out images: the most that drawn ones can be expected to reach.
    """
    classes, seed = painter.facts.classes, painter.run.train.seed
    asked = torch.arange(len(classes)).repeat_interleave(each)
    parts = asked.split(EXAMPLES_AT_ONCE)
    drawn = [
        ImageBatch(painter.of_classes(labels, seed + i).batch.images, labels)
        for i, labels in enumerate(track(parts, "drawing for the judge", len(parts)))
    ]
    real = source.held_out(split)
    answers: Tensor = torch.cat([judge.logits(batch) for batch in drawn])
    known = judge.logits(real)
    by_class = {name: 100 - error_percent(answers[asked == k], asked[asked == k]) for k, name in enumerate(classes)}
    judged = {
        "by": str(judge.folder.path),
        "samples_per_class": each,
        "agreement_percent": 100 - error_percent(answers, asked),
        "held_out_agreement_percent": 100 - error_percent(known, real.labels.cpu()),
    }
    return {
        "judged": judged,
        "judged_agreement_percent_per_class": by_class,
        "judged_confusion": confusion(answers, asked),
    }
