"""The verbs of `saccade glimpse`. Torch-free until one runs."""

from pathlib import Path
from typing import Annotated

import typer

from saccade.errors import InputError
from saccade.pipeline import outputs
from saccade.terminal.arguments import AsJson, Count, DataDir, Index, Overwrite, RunPath, SplitName, StripFile
from saccade.terminal.verbs import eval_command, film_name, result_of, train_command

SYSTEM = "glimpse"
THEN = ("gif {} --index 7",)

DEFAULT = Path("ram-mnist")
"""The shipped network that reads by default."""

MOST_READ, MOST_FILMED = 2000, 400
"""Most images in one call of `read`, and with a film or a strip."""

Condition = Annotated[
    str | None, typer.Option(help="Choice of the locations, e.g. random; by default the policy's mean.")
]
Seconds = Annotated[float, typer.Option(min=0.02, max=10, help="Seconds per glimpse.")]


def gif(
    path: RunPath,
    index: Index = 0,
    count: Count = 1,
    out: Annotated[Path | None, typer.Option(help="File (.gif, .webp, .png); or RUN/gaze-INDEX.gif.")] = None,
    strip: StripFile = None,
    condition: Condition = None,
    seconds: Seconds = 0.8,
    data_dir: DataDir = None,
    split: SplitName = "test",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Film the network's gaze, its patches and its belief."""
    film = out or result_of(path, SYSTEM, film_name("gaze", index, count))
    outputs.check_all({"--out": film}, {"--strip": strip}, overwrite=overwrite)
    from saccade.glimpse.reader import readings
    from saccade.pipeline.animate import show
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen

    network = open_trained(path, SYSTEM)
    batch = network.held_out(network.source(data_dir), split, index, count)
    trace = network.look(batch, condition)
    outputs.make_folder_of(film)
    wrote = show.write_pictures(trace, film, strip, seconds=seconds, overwrite=overwrite)
    answers = screen.answers(readings(trace), range(index, index + count))
    if not as_json:
        screen.show_answers(answers)
    if trace.remark:
        screen.say(trace.remark)
    screen.give({"wrote": wrote, "split": split, "answers": answers}, as_json=as_json)


def read(
    files: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.", show_default=False)],
    run: Annotated[Path, typer.Option(help="A trained network's run folder, or a shipped one's name.")] = DEFAULT,
    gif: Annotated[Path | None, typer.Option(help="Film of the gaze: .gif, .webp or .png.")] = None,
    strip: StripFile = None,
    condition: Condition = None,
    seconds: Seconds = 0.8,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Do not frame the digits: only scale images to the network's size.")
    ] = False,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Read your own image files: label, probabilities, gaze and doubt of every digit in them."""
    outputs.check_inputs(files)
    most = MOST_FILMED if gif or strip else MOST_READ
    if len(files) > most:
        found = f"{len(files):,}{' with --gif or --strip' if gif or strip else ''}"
        raise InputError(f"at most {most:,} images", found, "read them in several commands")
    outputs.check_all({"--gif": gif}, {"--strip": strip}, inputs=files, overwrite=overwrite)
    result_of(run, SYSTEM, "")
    from saccade.glimpse.reader import Reader, readings
    from saccade.pipeline.animate import show
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen

    network = open_trained(run, SYSTEM)
    assert isinstance(network, Reader)
    trace = network.trace(files, condition, as_is=as_is)
    wrote = show.write_pictures(trace, gif, strip, seconds=seconds, overwrite=overwrite)
    found = readings(trace)
    answers = screen.answers(found, [str(files[reading.picture]) for reading in found])
    if not as_json:
        screen.show_answers(answers)
    if trace.remark:
        screen.say(trace.remark)
    screen.give({"wrote": wrote, "answers": answers}, as_json=as_json)


VERBS = {
    "train": train_command(SYSTEM, THEN),
    "eval": eval_command(SYSTEM, THEN),
    "gif": gif,
    "read": read,
}
