"""The verbs of `saccade draw`. Torch-free until one runs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from saccade.draw.config import Config
from saccade.terminal.verbs import AsJson, DataDir, RunOrShipped, RunPath, Split, StripFile, report, train_command

SYSTEM = "draw"
HELP = "Write images step by step: DRAW."
THEN = ("gif {} --count 36",)

DEFAULT = Path("draw-mnist")
"""The shipped network that draws where none is named; with --text, DEFAULT_LABELLED."""

DEFAULT_LABELLED = Path("draw-mnist-labelled")

ABREAST = 8
"""Most endings beside one another; more stand in rows."""

StepSeconds = Annotated[float, typer.Option("--seconds", min=0.02, max=10, help="Seconds a step is shown.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the latents.")]


def evaluate(
    path: RunPath,
    samples: Annotated[int, typer.Option(help="Samples K of the importance-weighted estimate; takes its time.")] = 10,
    judge: Annotated[
        Path | None, typer.Option(help="Run of a classifier that reads what is drawn (--labelled networks).")
    ] = None,
    judged: Annotated[int, typer.Option(min=1, max=10_000, help="Drawings of each class for it.")] = 100,
    data_dir: DataDir = None,
    split: Split = "test",
    as_json: AsJson = False,
) -> None:
    """Measure the bound on held-out images, nats an image; writes metrics.json and kl-per-step.png into RUN."""
    model = {"importance_samples": samples}
    report(SYSTEM, path, data_dir, split, as_json=as_json, model=model, judge=judge, judged=judged, then=THEN)


def generate(
    path: RunOrShipped = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="How many images.")] = 64,
    text: Annotated[str | None, typer.Option(help="Write this, a class a character (--labelled networks).")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Sheet of the finished images: a PNG; RUN/sheet.png, for a shipped network in runs/models/NAME."
        ),
    ] = None,
    gif: Annotated[Path | None, typer.Option(help="Film of how they are drawn: .gif, .webp or .png.")] = None,
    strip: StripFile = None,
    neighbours: Annotated[
        Path | None, typer.Option(help="Sheet of the images beside their nearest training images: a PNG.")
    ] = None,
    seconds: StepSeconds = 0.15,
    seed: Seed = 0,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Draw new images, from noise alone; without RUN by the shipped network."""
    from saccade.draw import sheets as studio
    from saccade.pipeline import trained as verbs
    from saccade.terminal import screen as terminal

    path = path or (DEFAULT if text is None else DEFAULT_LABELLED)
    network, source = verbs.open_network(path, SYSTEM), None
    out = out or verbs.place(network.folder.path) / "sheet.png"
    studio.check(films=[gif], sheets=[out, strip, neighbours])
    if neighbours:
        network, source = verbs.open_images(path, SYSTEM, data_dir)
    labels = [-1] * count if text is None else studio.labels_of(text, network.folder.classes)
    trace = studio.imagine(network, labels, seed)
    columns = None if text is None else len(text)
    found, wrote = {}, []
    if neighbours and source:
        from saccade.draw.neighbours import compare, sheet

        nearest, found["neighbours"] = compare(trace, source)
        wrote.append(sheet(trace, nearest, neighbours))
        if not as_json:
            terminal.show_neighbours(found["neighbours"])
    wrote.append(studio.sheet(network, trace, out, columns))
    wrote += [studio.film(network, trace, gif, seconds, columns)] if gif else []
    wrote += [studio.strip(network, trace, strip)] if strip else []
    terminal.give({"wrote": wrote, **found}, as_json=as_json)


def gif(
    path: RunPath,
    count: Annotated[int, typer.Option(min=1, max=400, help="How many drawings beside one another.")] = 1,
    reconstruct: Annotated[bool, typer.Option("--reconstruct", help="Redraw held-out images while looking.")] = False,
    index: Annotated[int, typer.Option(help="Which image of the split to redraw, from 0.")] = 0,
    out: Annotated[Path | None, typer.Option(help="File (.gif, .webp, .png); or RUN/writing.gif.")] = None,
    strip: StripFile = None,
    seconds: StepSeconds = 0.15,
    seed: Seed = 0,
    data_dir: DataDir = None,
    split: Split = "test",
    as_json: AsJson = False,
) -> None:
    """Show the canvases appear, and the window that writes move over them."""
    from saccade.draw import sheets as studio
    from saccade.pipeline import trained as verbs
    from saccade.terminal import screen as terminal

    if reconstruct:
        network, source = verbs.open_images(path, SYSTEM, data_dir)
        trace = verbs.look(network, verbs.held_out(source, split, index, count))
        name = f"redrawing-{index}.gif"
    else:
        network = verbs.open_network(path, SYSTEM)
        trace, name = studio.imagine(network, [-1] * count, seed), "writing.gif"
    wrote = [studio.film(network, trace, out or verbs.place(network.folder.path) / name, seconds)]
    wrote += [studio.strip(network, trace, strip)] if strip else []
    terminal.give({"wrote": wrote}, as_json=as_json)


def complete(
    path: RunPath,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The unfinished picture.", show_default=False)],
    mask: Annotated[Path | None, typer.Option(help="Picture whose white part says what is given.")] = None,
    keep: Annotated[
        Literal["top", "bottom", "left", "right"] | None, typer.Option(help="Or: the half that is given.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=100, help="How many endings.")] = 6,
    out: Annotated[Path | None, typer.Option(help="File (.gif, .webp, .png); or RUN/endings.gif.")] = None,
    strip: StripFile = None,
    seconds: StepSeconds = 0.15,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Finish an unfinished picture in several ways.

    Without --mask and --keep, what is not transparent is given; in a digit without transparency, all but its
    blank side. The given pixels are shown as they are, in blue.
    """
    from saccade.draw import sheets as studio
    from saccade.pipeline import trained as verbs
    from saccade.terminal import screen as terminal

    network = verbs.open_network(path, SYSTEM)
    part = studio.unfinished(network, image, mask, keep)
    out = out or verbs.place(network.folder.path) / "endings.gif"
    studio.check(films=[out], sheets=[strip])
    trace, found = studio.finish(network, part, count, seed)
    columns = count if count <= ABREAST else None
    wrote = [studio.film(network, trace, out, seconds, columns)]
    wrote += [studio.strip(network, trace, strip)] if strip else []
    if not as_json:
        terminal.show_endings(found)
    terminal.give({"wrote": wrote, **found}, as_json=as_json)


VERBS = {
    "train": train_command(SYSTEM, Config, THEN),
    "eval": evaluate,
    "generate": generate,
    "gif": gif,
    "complete": complete,
}
