"""What a classifier makes of images that were drawn by class: does it read the class that was asked for?"""

from pathlib import Path
from typing import Any

import torch

from saccade.draw import sheets as studio
from saccade.errors import InputError
from saccade.images.source import Source
from saccade.pipeline import trained as verbs
from saccade.pipeline.contract import EXAMPLES_AT_ONCE, Batch
from saccade.pipeline.evaluate.classification import confusion, error_percent


def open_judge(network: verbs.Network, path: Path) -> verbs.Network:
    """The trained classifier in a run folder, of whatever system, that is to judge what `network` draws.

    Raises:
        InputError: a network that draws no classes, no trained classifier, or one of other images or classes.
    """
    folder = network.folder
    if not folder.run.model.labelled:
        do = "train one with --labelled, or leave --judge out"
        raise InputError("a network that was trained with labels", f"one without in {folder.path}", do)
    judge = verbs.open_network(path)
    if (judge.folder.shape, judge.folder.classes) != (folder.shape, folder.classes):
        found = f"one of {tuple(judge.folder.shape)} in {path}"
        do = "train one on the same data"
        raise InputError(f"a classifier of images and classes of the shape {tuple(folder.shape)}", found, do)
    blank = torch.zeros(1, *folder.shape[:3])
    if not hasattr(verbs.look(judge, Batch(blank, torch.zeros(1, dtype=torch.int64))).outputs, "logits"):
        found = f"a run of {judge.folder.run.system} in {path}"
        raise InputError("the run of a classifier", found, "train one, e.g. with `saccade baseline train`")
    return judge


@torch.no_grad()
def agreement(network: verbs.Network, judge: verbs.Network, source: Source, split: Any, each: int) -> dict[str, Any]:
    """How often the judge reads the class that was asked for, percent, over `each` mean images of every class.

    Beside it how often it is right on the held-out images, which is the most that drawn ones can be expected to reach.
    """
    classes, seed = network.folder.classes, network.folder.run.train.seed
    asked = torch.arange(len(classes)).repeat_interleave(each)
    drawn = [
        Batch(studio.imagine(network, labels.tolist(), seed + i).images, labels)
        for i, labels in enumerate(asked.split(EXAMPLES_AT_ONCE))
    ]
    real = source.held_out(split)
    answers, known = torch.cat([verbs.logits(judge, batch) for batch in drawn]), verbs.logits(judge, real)
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
