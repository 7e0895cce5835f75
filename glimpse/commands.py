"""The verbs of `saccade glimpse`. Torch-free until one runs."""

from pathlib import Path
from typing import Annotated

import typer

from saccade.glimpse.config import Config
from saccade.terminal.verbs import AsJson, DataDir, RunPath, Split, StripFile, eval_command, train_command

SYSTEM = "glimpse"
HELP = "Read images by a few glimpses: the Recurrent Attention Model."
THEN = ("gif {} --index 7",)

DEFAULT = Path("ram-mnist")
"""The shipped network that reads where none is named."""

Condition = Annotated[str | None, typer.Option(help="Whose gaze, e.g. random; the policy's mean by default.")]
Seconds = Annotated[float, typer.Option(min=0.02, max=10, help="Seconds a glimpse is shown.")]


def gif(
    path: RunPath,
    index: Annotated[int, typer.Option(help="Which image of the split, from 0.")] = 0,
    count: Annotated[int, typer.Option(help="So many images from there on, beside one another.")] = 1,
    out: Annotated[Path | None, typer.Option(help="File (.gif, .webp, .png); or RUN/gaze-INDEX.gif.")] = None,
    strip: StripFile = None,
    condition: Condition = None,
    seconds: Seconds = 0.8,
    data_dir: DataDir = None,
    split: Split = "test",
    as_json: AsJson = False,
) -> None:
    """Show where the network looks, what it sees there, and what it believes."""
    from saccade.pipeline import trained as verbs
    from saccade.terminal import screen as terminal

    network, source = verbs.open_images(path, SYSTEM, data_dir)
    batch = verbs.held_out(source, split, index, count)
    name = f"gaze-{index}.gif" if count == 1 else f"gaze-{index}-to-{index + count - 1}.gif"
    trace = verbs.look(network, batch, condition)
    wrote = verbs.draw(network, trace, out or verbs.place(network.folder.path) / name, strip, seconds)
    result = {"wrote": wrote, "split": split, "answers": verbs.answers(trace, range(index, index + count))}
    if not as_json:
        terminal.show_answers(result["answers"])
    terminal.give(result, as_json=as_json)


def read(
    files: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.", show_default=False)],
    run: Annotated[Path, typer.Option(help="A trained network's run folder, or a shipped one's name.")] = DEFAULT,
    gif: Annotated[Path | None, typer.Option(help="Draw the gaze into this file: .gif, .webp or .png.")] = None,
    strip: StripFile = None,
    condition: Condition = None,
    seconds: Seconds = 0.8,
    as_json: AsJson = False,
) -> None:
    """Read your own image files: label, probabilities and gaze."""
    from saccade.pipeline import trained as verbs
    from saccade.terminal import screen as terminal

    network = verbs.open_network(run, SYSTEM)
    trace = verbs.look(network, verbs.read_files(network, files), condition)
    wrote = verbs.draw(network, trace, gif, strip, seconds)
    answers = verbs.answers(trace, [str(file) for file in files])
    if not as_json:
        terminal.show_answers(answers)
    terminal.give({"wrote": wrote, "answers": answers}, as_json=as_json)


VERBS = {
    "train": train_command(SYSTEM, Config, THEN),
    "eval": eval_command(SYSTEM, THEN),
    "gif": gif,
    "read": read,
}
