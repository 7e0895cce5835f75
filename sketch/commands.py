"""The verbs of `saccade sketch`. Torch-free until one runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saccade.errors import InputError
from saccade.pipeline import outputs
from saccade.sketch.options import SYSTEM, Seed, Sheet, StepSeconds, Temperature, check, open_artist
from saccade.terminal.arguments import AsJson, Count, DataDir, Index, Overwrite, RunOrShipped, RunPath, SplitName
from saccade.terminal.verbs import evaluate_and_show, film_name, result_of, train_command

if TYPE_CHECKING:
    from saccade.sketch.artist import Artist

THEN = ("generate {}", "gif {} --index 7")
DEFAULT = Path("sketch-digits")
"""The shipped network that draws by default."""

DEFAULT_READER = Path("sketch-reader")
"""The shipped network that reads by default."""


def evaluate(
    path: RunPath,
    judge: Annotated[
        Path | None, typer.Option(help="Run of a reader that reads new drawings (--labelled networks).")
    ] = None,
    judged: Annotated[int, typer.Option(min=1, max=10_000, help="Number of drawings per class for --judge.")] = 100,
    data_dir: DataDir = None,
    split: SplitName = "test",
    as_json: AsJson = False,
) -> None:
    """Measure a network on held-out drawings: bound and losses, or error; write metrics.json into RUN."""
    result_of(path, SYSTEM, "")

    def judged_by(network: "Artist", source: object) -> dict[str, object]:
        from saccade.sketch.judge import agreement, open_judge

        assert judge is not None
        return agreement(network, open_judge(network, judge), judged)

    evaluate_and_show(SYSTEM, path, data_dir, split, as_json=as_json, further=judged_by if judge else None, then=THEN)


def generate(
    path: RunOrShipped = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="Number of drawings.")] = 36,
    text: Annotated[str | None, typer.Option(help="Text, one class per character (--labelled networks).")] = None,
    temperature: Temperature = 0.4,
    out: Sheet = None,
    gif: Annotated[Path | None, typer.Option(help="Film of the pen: .gif, .webp or .png.")] = None,
    seconds: StepSeconds = 0.06,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draw from noise; without RUN with the shipped network, which writes digits."""
    path = path or DEFAULT
    out = out or result_of(path, SYSTEM, "sheet.png")
    check({"--gif": gif}, {"--out": out}, overwrite=overwrite)
    from saccade.pipeline.animate import show
    from saccade.sketch.sheets import write_sheet
    from saccade.terminal import screen

    drawn = open_artist(path).generate(count if text is None else text, seed, temperature)
    columns = None if text is None else len(text)
    outputs.make_folder_of(out)
    wrote = [write_sheet(drawn.trace, out, columns, overwrite=overwrite)]
    wrote += [show.write_film(drawn.trace, gif, seconds=seconds, columns=columns, overwrite=overwrite)] if gif else []
    screen.give({"wrote": [str(file) for file in wrote], "unfinished": drawn.unfinished}, as_json=as_json)


def gif(
    path: RunPath,
    index: Index = 0,
    count: Count = 1,
    temperature: Temperature = 0.2,
    heat: Annotated[bool, typer.Option("--heat", help="Shade where the next point may be.")] = False,
    out: Annotated[Path | None, typer.Option(help="File (.gif, .webp, .png); or RUN/pen-INDEX.gif.")] = None,
    seconds: StepSeconds = 0.06,
    seed: Seed = 0,
    data_dir: DataDir = None,
    split: SplitName = "test",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Film the pen: a held-out drawing and what the network makes of it; a reader's belief as the pen moves."""
    film = out or result_of(path, SYSTEM, film_name("pen", index, count))
    check({"--out": film}, {}, overwrite=overwrite)
    from saccade.pipeline.animate import show
    from saccade.terminal import screen

    network = open_artist(path)
    batch = network.held_out(network.source(data_dir), split, index, count)
    if network.config.task == "read" or not network.config.latent:
        trace = network.look(batch)
    else:
        trace = network.redraw(batch, seed, temperature).trace
    if heat:
        trace = network.with_heat(trace)
    outputs.make_folder_of(film)
    wrote = [show.write_film(trace, film, seconds=seconds, overwrite=overwrite)]
    screen.give({"wrote": [str(file) for file in wrote], "split": split}, as_json=as_json)


def complete(
    path: RunPath,
    begun: Annotated[Path, typer.Argument(metavar="DRAWING", help="SVG of the first strokes.", show_default=False)],
    count: Annotated[int, typer.Option(min=1, max=100, help="Number of endings.")] = 9,
    label: Annotated[str | None, typer.Option("--class", help="Class to draw; by default the likeliest.")] = None,
    temperature: Temperature = 0.4,
    pen_down: Annotated[bool, typer.Option("--pen-down", help="The last stroke is not finished.")] = False,
    whole: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Longer side that the whole drawing would have, in the SVG's units; by default that "
            "of the given strokes.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Film (.gif, .webp, .png); or RUN/endings.gif.")] = None,
    sheet: Sheet = None,
    seconds: StepSeconds = 0.06,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Finish a drawing that a person began, in several ways; the given strokes are blue."""
    outputs.check_inputs([begun])
    film = out or result_of(path, SYSTEM, "endings.gif")
    check({"--out": film}, {"--sheet": sheet}, [begun], overwrite=overwrite)
    from saccade.pipeline.animate import show
    from saccade.sketch.files import read_drawings
    from saccade.sketch.sheets import write_sheet
    from saccade.terminal import screen

    network = open_artist(path)
    first = network.strokes_of(read_drawings(begun)[0], whole=whole, pen_down=pen_down)
    endings = network.complete(first, count, seed, temperature, label)
    outputs.make_folder_of(film)
    wrote = [show.write_film(endings.trace, film, seconds=seconds, overwrite=overwrite)]
    wrote += [write_sheet(endings.trace, sheet, overwrite=overwrite)] if sheet else []
    found = {"given_moves": int(first.lengths[0]), "unfinished": endings.unfinished, "class": endings.classes[0]}
    screen.give({"wrote": [str(file) for file in wrote], **found}, as_json=as_json)


def interpolate(
    path: RunPath,
    between: Annotated[str, typer.Option(help="Two held-out drawings by index, e.g. 3,17.")] = "0,1",
    steps: Annotated[int, typer.Option(min=2, max=100, help="Number of drawings, both ends included.")] = 10,
    temperature: Temperature = 0.1,
    out: Sheet = None,
    seed: Seed = 0,
    data_dir: DataDir = None,
    split: SplitName = "test",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Draw on the way from one drawing's z to another's."""
    sheet = out or result_of(path, SYSTEM, "morph.svg")
    check({}, {"--out": sheet}, overwrite=overwrite)
    ends = between.split(",")
    if len(ends) != 2 or not all(end.strip().isdecimal() and len(end) < 10 for end in ends):
        raise InputError("two indices, e.g. --between 3,17", repr(between[:40]), "give two whole numbers")
    from saccade.sketch.sheets import write_sheet
    from saccade.terminal import screen

    network = open_artist(path)
    source = network.source(data_dir)
    first, second = (network.held_out(source, split, int(end), 1) for end in ends)
    drawn = network.between(first, second, steps, seed, temperature)
    outputs.make_folder_of(sheet)
    wrote = write_sheet(drawn.trace, sheet, steps if steps <= 12 else None, overwrite=overwrite)
    screen.give({"wrote": [str(wrote)], "unfinished": drawn.unfinished}, as_json=as_json)


def read(
    files: Annotated[
        list[Path], typer.Argument(metavar="DRAWING...", help="SVG, .ndjson or .json.", show_default=False)
    ],
    run: Annotated[
        Path, typer.Option(help="A trained network's run folder, or a shipped one's name.")
    ] = DEFAULT_READER,
    as_json: AsJson = False,
) -> None:
    """Read drawings: the class of each, and its probability."""
    outputs.check_inputs(files)
    result_of(run, SYSTEM, "")
    from saccade.sketch.files import read_drawings
    from saccade.terminal import screen

    network = open_artist(run)
    answers = []
    for file in files:
        for number, strokes in enumerate(read_drawings(file), 1):
            reading = network.read(network.strokes_of(strokes))[0]
            answers.append(
                {"file": str(file), "drawing": number, "label": reading.label}
                | {"probabilities": reading.probabilities}
            )
            if not as_json:
                sure = reading.probabilities[reading.label]
                screen.say(f"{file}, drawing {number}: {reading.label} ({100 * sure:.0f}%)")
    screen.give({"answers": answers} if as_json else {}, as_json=as_json)


VERBS = {
    "train": train_command(SYSTEM, THEN),
    "eval": evaluate,
    "generate": generate,
    "gif": gif,
    "complete": complete,
    "interpolate": interpolate,
    "read": read,
}
