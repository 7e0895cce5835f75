"""The verbs of `saccade video`. Torch-free until one runs."""

from pathlib import Path
from typing import Annotated, TypeVar

import typer

from saccade.pipeline import outputs
from saccade.terminal.arguments import AsJson, DataDir, Overwrite, RunPath, SplitName, StripFile
from saccade.terminal.verbs import evaluate_and_show, gif_command, result_of, train_command

Item = TypeVar("Item")

SYSTEM = "video"
THEN = ("gif {} --index 7",)


def evaluate(
    path: RunPath,
    dataset: Annotated[
        str | None, typer.Option(help="Other data of the same kind, e.g. grid:OTHER.npz; nothing is written then.")
    ] = None,
    data_dir: DataDir = None,
    split: SplitName = "test",
    as_json: AsJson = False,
) -> None:
    """Measure a network on held-out clips; write metrics.json or metrics-validation.json into RUN."""
    if dataset is None:
        evaluate_and_show(SYSTEM, path, data_dir, split, as_json=as_json, then=THEN)
        return
    from dataclasses import replace

    from saccade.pipeline.config import override
    from saccade.pipeline.evaluate.evaluate import evaluate as measure
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen
    from saccade.video.watcher import Watcher

    network = open_trained(path, SYSTEM)
    assert isinstance(network, Watcher)
    run = override(network.run, {"data": {"dataset": dataset}}, lambda _, key: f"--{key}")
    source = network.source_of(dataset, data_dir)
    metrics = measure(replace(run, train=network.run.train), network.core, source, split) | {"step": network.step}
    if as_json:
        screen.give(metrics, as_json=True)
    else:
        screen.show_metrics(
            metrics, network.facts.classes, f"{path}: {metrics['examples']:,} {split} clips of {dataset}"
        )


def read(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="Video file, GIF, or folder of pictures.")],
    run: Annotated[
        Path, typer.Option(help="A trained network's run folder, or a shipped one's name.", show_default=False)
    ],
    box: Annotated[str | None, typer.Option(help="Part of the frames to look at: x,y,width,height in pixels.")] = None,
    gif: Annotated[Path | None, typer.Option(help="Film of the answers: .gif, .webp or .png.")] = None,
    strip: StripFile = None,
    seconds: Annotated[float, typer.Option(min=0.02, max=10, help="Seconds per frame.")] = 0.12,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Read your own recording: an answer after every frame, made from the frames so far; its time is measured."""
    outputs.check_all({"--gif": gif}, {"--strip": strip}, inputs=[video], overwrite=overwrite)
    result_of(run, SYSTEM, "")
    from saccade.pipeline.animate import show
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen
    from saccade.video.watcher import MOST_FILMED, Watcher
    from saccade.videos.files import parse_box

    network = open_trained(run, SYSTEM)
    assert isinstance(network, Watcher)
    part = None if box is None else parse_box(box)
    watched = network.read(video, part, MOST_FILMED if gif or strip else None)
    wrote = show.write_pictures(watched.trace, gif, strip, seconds=seconds, overwrite=overwrite)
    last = watched.glances[-1]
    answer = last.label if last.sentence is None else " ".join(last.sentence)
    if not as_json:
        rows = [
            {
                "frame": str(glance.frame + 1),
                "answer": glance.label,
                "probability": f"{glance.probability:.1%}",
                "ms": f"{glance.milliseconds:.1f}",
            }
            for glance in _evenly(watched.glances)
        ]
        screen.show_table(f"{video}: {answer}", rows)
        screen.say(f"{len(watched.glances)} frames, median {watched.milliseconds:.1f} ms a frame")
    result = {
        "answer": answer,
        "milliseconds_per_frame": watched.milliseconds,
        "frames": [glance._asdict() for glance in watched.glances],
    }
    screen.give({"wrote": wrote, **result}, as_json=as_json)


MOST_ROWS = 25
"""Rows of the table of answers."""


def _evenly(items: list[Item]) -> list[Item]:
    """Return at most `MOST_ROWS` of the items, evenly spaced, the last one among them."""
    count = min(len(items), MOST_ROWS)
    return [items[round((i + 1) * len(items) / count) - 1] for i in range(count)]


VERBS = {
    "train": train_command(SYSTEM, THEN),
    "eval": evaluate,
    "gif": gif_command(SYSTEM),
    "read": read,
}
