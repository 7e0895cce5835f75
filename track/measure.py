"""Evaluations on other data than a tracker's own: other generated videos, and sequences of the OTB benchmark."""

import dataclasses
import io
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from saccade.json_types import Record
from saccade.pipeline.animate.palette import BELIEF, FAINT, GAZE, GROUND, INK, OTHER_BELIEF, QUIET, RIGHT, WRONG, tint
from saccade.pipeline.checkpoint.atomic_files import write_json, write_whole
from saccade.pipeline.checkpoint.locate import results_folder
from saccade.pipeline.contract import Split
from saccade.pipeline.evaluate import evaluate as evaluation
from saccade.pipeline.progress import track
from saccade.track import curves, rivals
from saccade.track.follower import Follower, PixelBox
from saccade.track.otb import open_sequence
from saccade.track.videos import VideoSource

OURS = "Saccade"
COLOURS = (GAZE, BELIEF, OTHER_BELIEF, RIGHT, WRONG, QUIET)
"""Of the curves: ours first."""


def on_other_videos(network: Follower, dataset: str, data_dir: str | None, split: Split) -> tuple[Record, list[str]]:
    """Measure a tracker on generated videos of another kind; write metrics-DATASET.json.

    Raises:
        InputError: MNIST's files are missing or damaged.
    """
    data = dataclasses.replace(network.run.data, dataset=dataset)
    data = dataclasses.replace(data, data_dir=data_dir) if data_dir else data
    run = dataclasses.replace(network.run, data=data)
    found = evaluation.evaluate(run, network.core, VideoSource(data, run.train.seed), split) | {"step": network.step}
    suffix = "" if split == "test" else f"-{split}"
    return found, [str(write_json(results_folder(network.folder.path) / f"metrics-{dataset}{suffix}.json", found))]


def on_sequence(network: Follower, folder: Path) -> tuple[Record, list[str]]:
    """Measure a tracker, and those to compare with, on one sequence; write metrics-otb-NAME.json and otb-NAME.png.

    One pass from the first frame's box on (OPE); all frames count, the first one too, as in the benchmark.

    Raises:
        InputError: no sequence in that folder, or a damaged one.
    """
    sequence = open_sequence(folder)
    frames, truth = list(sequence.frames()), sequence.truth
    trackers = {OURS: lambda frames, box: _own(network, frames, box), **rivals.available()}
    found: dict[str, Record] = {}
    for name, follow in track(trackers.items(), f"following {sequence.name}", len(trackers)):
        began = time.process_time()
        answers = np.array(list(follow(frames, tuple(truth[0]))), np.float64)
        found[name] = _scores(answers, truth) | {"cpu_ms_per_frame": 1000 * (time.process_time() - began) / len(truth)}
    result: Record = {
        "system": network.run.system,
        "dataset": f"otb:{sequence.name}",
        "examples": len(truth),
        "step": network.step,
        "success_auc_percent": found[OURS]["success_auc_percent"],
        "precision_percent": found[OURS]["precision_percent"],
        "trackers": found,
    }
    place = results_folder(network.folder.path)
    chart = place / f"otb-{sequence.name}.png"
    write_whole(chart, draw(found, sequence.name))
    return result, [str(write_json(place / f"metrics-otb-{sequence.name}.json", result)), str(chart)]


def _own(network: Follower, frames: Iterable[NDArray[np.uint8]], box: PixelBox) -> Iterator[PixelBox]:
    return iter([answer.box for answer in network.follow(frames, box)])


def _scores(answers: curves.Boxes, truth: curves.Boxes) -> Record:
    success, precision = curves.success(answers, truth), curves.precision(answers, truth)
    return {
        "success_auc_percent": 100 * curves.auc(success),
        "precision_percent": 100 * precision[curves.AT_PIXELS],
        "mean_overlap_percent": 100 * float(curves.overlaps(answers, truth).mean()),
        "success": success,
        "precision": precision,
    }


def show(found: Record) -> None:
    """Print a table of the trackers."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{found['dataset']}: {found['examples']} frames", title_justify="left")
    for heading in ("tracker", "success AUC %", f"precision at {curves.AT_PIXELS} pixels %", "CPU ms a frame"):
        table.add_column(heading, justify="left" if heading == "tracker" else "right")
    for name, scores in found["trackers"].items():
        numbers = (scores[key] for key in ("success_auc_percent", "precision_percent", "cpu_ms_per_frame"))
        table.add_row(name, *(f"{number:.1f}" for number in numbers))
    console = Console(highlight=False)
    console.print(table)
    if len(found["trackers"]) == 1:
        console.print('to compare with template matching and OpenCV\'s trackers: pip install "saccade\\[rivals]"')


def draw(found: dict[str, Record], name: str) -> bytes:
    """Draw the success and the precision curves of all trackers, each named at its end: a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), dpi=100, facecolor=tint(GROUND))
    figure.subplots_adjust(0.06, 0.12, 0.98, 0.86, wspace=0.16)
    plots: tuple[tuple[str, Sequence[float], str, str, str, Literal["lower left", "lower right"]], ...] = (
        ("success", curves.THRESHOLDS, "overlap", "success_auc_percent", "AUC", "lower left"),
        ("precision", curves.DISTANCES, "distance, pixels", "precision_percent", "at 20", "lower right"),
    )
    for n, (key, along, label, number, what, where) in enumerate(plots):
        axes = figure.add_subplot(1, 2, n + 1, facecolor=tint(GROUND))
        for index, (tracker, scores) in enumerate(found.items()):
            colour, own = COLOURS[index % len(COLOURS)], index == 0
            text = f"{tracker}: {what} {scores[number]:.1f}%"
            style = {"color": tint(colour), "linewidth": 3 if own else 1.5, "zorder": 3 if own else 2}
            axes.plot(along, [100 * value for value in scores[key]], label=text, **style)
        axes.set_title(f"{name}: {key}", loc="left", color=tint(INK), fontsize=14)
        axes.set_xlabel(label, color=tint(QUIET))
        axes.set_ylabel("frames, %", color=tint(QUIET))
        axes.set_ylim(0, 102)
        axes.tick_params(colors=tint(QUIET), length=0)
        axes.grid(color=tint(FAINT))
        axes.spines[:].set_visible(False)
        axes.legend(loc=where, frameon=False, fontsize=9, labelcolor=tint(INK))
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": "Saccade"})
    return file.getvalue()
