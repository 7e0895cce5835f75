"""The verbs of `saccade draw`. Torch-free until one runs."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from saccade.pipeline import outputs
from saccade.terminal.arguments import (
    MOST_SEED,
    AsJson,
    DataDir,
    Overwrite,
    RunOrShipped,
    RunPath,
    SplitName,
    StripFile,
)
from saccade.terminal.verbs import evaluate_and_show, result_of, train_command

SYSTEM = "draw"
THEN = ("gif {} --count 36",)

DEFAULT = Path("draw-mnist")
"""The shipped network that draws by default; with --text, DEFAULT_LABELLED."""

DEFAULT_LABELLED = Path("draw-mnist-labelled")

REDRAWN = "left: the image, and the reading window; right: the canvas, and the writing window"
"""Caption of a strip of reconstructions."""

MOST_COLUMNS = 8
"""Most endings in one row; more are arranged in a square."""

StepSeconds = Annotated[float, typer.Option("--seconds", min=0.02, max=10, help="Seconds per step.")]
Seed = Annotated[int, typer.Option(min=0, max=MOST_SEED, help="Seed of the latents.")]


def evaluate(
    path: RunPath,
    samples: Annotated[int, typer.Option(help="Samples K per image for the importance-weighted estimate; slow.")] = 10,
    judge: Annotated[
        Path | None, typer.Option(help="Run of a classifier that reads the drawings (--labelled networks).")
    ] = None,
    judged: Annotated[int, typer.Option(min=1, max=10_000, help="Number of drawings per class for --judge.")] = 100,
    data_dir: DataDir = None,
    split: SplitName = "test",
    as_json: AsJson = False,
) -> None:
    """Measure the bound on held-out images, nats per image; write metrics.json and kl-per-step.png into RUN."""
    result_of(path, SYSTEM, "")
    from saccade.draw.judge import agreement, open_judge

    def judged_by(network: Any, source: Any) -> dict[str, Any]:
        assert judge is not None
        return agreement(network, open_judge(network, judge), source, split, judged)

    model, further = {"importance_samples": samples}, judged_by if judge else None
    evaluate_and_show(SYSTEM, path, data_dir, split, as_json=as_json, model=model, further=further, then=THEN)


def generate(
    path: RunOrShipped = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="Number of images.")] = 64,
    text: Annotated[str | None, typer.Option(help="Text, one class per character (--labelled networks).")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Sheet of the finished images: a PNG; RUN/sheet.png, for a shipped network in runs/models/NAME."
        ),
    ] = None,
    gif: Annotated[Path | None, typer.Option(help="Film of the drawing: .gif, .webp or .png.")] = None,
    strip: StripFile = None,
    neighbours: Annotated[
        Path | None, typer.Option(help="Sheet of the images with their nearest training images: a PNG.")
    ] = None,
    seconds: StepSeconds = 0.15,
    seed: Seed = 0,
    data_dir: DataDir = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draw new images from noise; without RUN with the shipped network."""
    path = path or (DEFAULT if text is None else DEFAULT_LABELLED)
    out = out or result_of(path, SYSTEM, "sheet.png")
    sheet_files = {"--out": out, "--strip": strip, "--neighbours": neighbours}
    outputs.check_all({"--gif": gif}, sheet_files, overwrite=overwrite)
    from saccade.draw import neighbours as nearest
    from saccade.draw import sheets
    from saccade.draw.painter import Painter
    from saccade.pipeline.animate import show
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen

    network = open_trained(path, SYSTEM)
    assert isinstance(network, Painter)
    source = network.source(data_dir) if neighbours else None
    trace = network.generate(count if text is None else text, seed).trace
    columns = None if text is None else len(text)
    found, wrote = {}, []
    if neighbours and source:
        near, found["neighbours"] = nearest.compare(trace, source)
        wrote.append(nearest.sheet(trace, near, neighbours, overwrite=overwrite))
        if not as_json:
            screen.show_neighbours(found["neighbours"])
    outputs.make_folder_of(out)
    wrote.append(sheets.sheet(trace, out, columns, overwrite=overwrite))
    wrote += [show.write_film(trace, gif, seconds=seconds, columns=columns, overwrite=overwrite)] if gif else []
    wrote += [show.write_strip(trace, strip, overwrite=overwrite)] if strip else []
    screen.give({"wrote": [str(file) for file in wrote], **found}, as_json=as_json)


def gif(
    path: RunPath,
    count: Annotated[int, typer.Option(min=1, max=400, help="Number of drawings, shown side by side.")] = 1,
    reconstruct: Annotated[bool, typer.Option("--reconstruct", help="Reconstruct held-out images instead.")] = False,
    index: Annotated[int, typer.Option(help="First image of the split to reconstruct, from 0.")] = 0,
    out: Annotated[Path | None, typer.Option(help="File (.gif, .webp, .png); or RUN/writing.gif.")] = None,
    strip: StripFile = None,
    seconds: StepSeconds = 0.15,
    seed: Seed = 0,
    data_dir: DataDir = None,
    split: SplitName = "test",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Film the drawing: the canvas and the moving writing window."""
    film = out or result_of(path, SYSTEM, f"redrawing-{index}.gif" if reconstruct else "writing.gif")
    outputs.check_all({"--out": film}, {"--strip": strip}, overwrite=overwrite)
    from saccade.draw.painter import Painter
    from saccade.pipeline.animate import show
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen

    network = open_trained(path, SYSTEM)
    assert isinstance(network, Painter)
    if reconstruct:
        trace = network.look(network.held_out(network.source(data_dir), split, index, count))
    else:
        trace = network.generate(count, seed).trace
    outputs.make_folder_of(film)
    wrote = [show.write_film(trace, film, seconds=seconds, overwrite=overwrite)]
    caption = REDRAWN if reconstruct else ""
    wrote += [show.write_strip(trace, strip, caption=caption, overwrite=overwrite)] if strip else []
    screen.give({"wrote": [str(file) for file in wrote]}, as_json=as_json)


def complete(
    path: RunPath,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The unfinished picture.", show_default=False)],
    mask: Annotated[Path | None, typer.Option(help="Picture that is white where pixels are given.")] = None,
    keep: Annotated[
        Literal["top", "bottom", "left", "right"] | None, typer.Option(help="The given half, instead of --mask.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="Number of endings.")] = 6,
    out: Annotated[Path | None, typer.Option(help="File (.gif, .webp, .png); or RUN/endings.gif.")] = None,
    strip: StripFile = None,
    seconds: StepSeconds = 0.15,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Finish an unfinished picture in several ways.

    Without --mask and --keep, all pixels that are not transparent are given; in a digit without transparency, all
    but its blank side. The given pixels are shown in blue.
    """
    outputs.check_inputs([image, mask])
    film = out or result_of(path, SYSTEM, "endings.gif")
    outputs.check_all({"--out": film}, {"--strip": strip}, inputs=[image, mask], overwrite=overwrite)
    from saccade.draw.painter import Painter
    from saccade.pipeline.animate import show
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen

    network = open_trained(path, SYSTEM)
    assert isinstance(network, Painter)
    part = network.unfinished(image, mask, keep)
    endings = network.complete(part, count, seed)
    columns = count if count <= MOST_COLUMNS else None
    outputs.make_folder_of(film)
    wrote = [show.write_film(endings.trace, film, seconds=seconds, columns=columns, overwrite=overwrite)]
    wrote += [show.write_strip(endings.trace, strip, overwrite=overwrite)] if strip else []
    if not as_json:
        screen.show_endings(endings.found)
    screen.give({"wrote": [str(file) for file in wrote], **endings.found}, as_json=as_json)


VERBS = {
    "train": train_command(SYSTEM, THEN),
    "eval": evaluate,
    "generate": generate,
    "gif": gif,
    "complete": complete,
}
