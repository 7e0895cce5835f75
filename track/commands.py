"""The verbs of `saccade track`. Torch-free until one runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saccade.errors import InputError
from saccade.pipeline import outputs
from saccade.terminal.arguments import AsJson, DataDir, Overwrite, RunPath, SplitName, StripFile
from saccade.terminal.verbs import evaluate_and_show, gif_command, result_of, train_command
from saccade.track.config import KINDS

if TYPE_CHECKING:
    from saccade.track.follower import Follower

SYSTEM = "track"
THEN = ("gif {} --index 3",)
DEFAULT = Path("track-moving")
"""The shipped network that follows by default."""

TABLE = (".csv",)


def evaluate(
    path: RunPath,
    dataset: Annotated[
        str | None,
        typer.Option(help=f"Other videos: {', '.join(KINDS)}, or otb:FOLDER, a sequence of the OTB benchmark."),
    ] = None,
    data_dir: DataDir = None,
    split: SplitName = "test",
    as_json: AsJson = False,
) -> None:
    """Measure overlap, success and precision on held-out videos, or on a sequence of the OTB benchmark.

    Writes metrics.json into RUN; for other videos metrics-DATASET.json. On a sequence, template matching and OpenCV's
    trackers run beside it, if OpenCV is installed, and the curves are drawn in otb-NAME.png.
    """
    if dataset is None:
        evaluate_and_show(SYSTEM, path, data_dir, split, as_json=as_json, then=THEN)
        return
    kind, _, folder = dataset.partition(":")
    if not (kind == "otb" and folder) and dataset not in KINDS:
        raise InputError(f"one of {', '.join(KINDS)}, or otb:FOLDER", repr(dataset), "name one of them")
    result_of(path, SYSTEM, "")
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen
    from saccade.track import measure

    network: Follower = open_trained(path, SYSTEM)  # type: ignore[assignment]
    if kind == "otb":
        found, wrote = measure.on_sequence(network, Path(folder))
        if not as_json:
            measure.show(found)
    else:
        found, wrote = measure.on_other_videos(network, dataset, data_dir, split)
        if not as_json:
            screen.show_metrics(found, (), f"{path}: {found['examples']:,} {split} videos, {dataset}")
    screen.give(found if as_json else {"wrote": wrote}, as_json=as_json)


def follow(
    video: Annotated[
        Path, typer.Argument(metavar="VIDEO", help="Video file, GIF, or folder of pictures.", show_default=False)
    ],
    box: Annotated[str, typer.Option(help="x,y,width,height of the target in the first frame, in pixels.")],
    path: Annotated[
        Path | None, typer.Option("--run", help="Run folder or shipped network; by default the shipped one.")
    ] = None,
    gif: Annotated[Path | None, typer.Option(help="Film of the tracking: .gif, .webp or .png.")] = None,
    strip: StripFile = None,
    boxes: Annotated[
        Path | None, typer.Option(help="CSV file for the answers: frame, x, y, width, height, confidence.")
    ] = None,
    first: Annotated[int, typer.Option(min=1, help="First frame, from 1; the box is in this one.")] = 1,
    last: Annotated[int | None, typer.Option(min=2, help="Last frame; by default the video's.")] = None,
    seconds: Annotated[float, typer.Option(min=0.02, max=10, help="Seconds per frame.")] = 0.08,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Follow what is in a box through any video; say in which frames it is lost."""
    path = path or DEFAULT
    outputs.check_inputs([video])
    outputs.check_all({"--gif": gif}, {"--strip": strip}, inputs=[video], overwrite=overwrite)
    if boxes is not None:
        outputs.check(boxes, TABLE, overwrite=overwrite)
    from saccade.pipeline.animate import show
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen
    from saccade.track import answers
    from saccade.videos.files import parse_box, read_frames

    target = parse_box(box)
    network: Follower = open_trained(path, SYSTEM)  # type: ignore[assignment]
    frames = answers.part(read_frames(video), first, last)
    given = (float(target.x), float(target.y), float(target.width), float(target.height))
    found, trace = network.film(frames, given, keep=gif is not None or strip is not None)
    wrote = [answers.write(found, boxes, first)] if boxes else []
    if gif and trace:
        wrote.append(show.write_film(trace, gif, seconds=seconds, overwrite=overwrite))
    if strip and trace:
        wrote.append(show.write_strip(trace, strip, overwrite=overwrite))
    screen.give({"wrote": [str(file) for file in wrote], **answers.summary(found, first)}, as_json=as_json)


VERBS = {"train": train_command(SYSTEM, THEN), "eval": evaluate, "gif": gif_command(SYSTEM), "follow": follow}
