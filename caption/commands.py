"""The verbs of `saccade caption`. Torch-free until one runs."""

from pathlib import Path
from typing import Annotated

import typer

from saccade.errors import InputError
from saccade.pipeline import outputs
from saccade.terminal.arguments import AsJson, DataDir, Overwrite, RunPath, SplitName, StripFile
from saccade.terminal.verbs import evaluate_and_show, gif_command, result_of, train_command

SYSTEM = "caption"
THEN = ("gif {} --index 3",)

DEFAULT = Path("caption-flickr8k")
"""The shipped network that writes by default."""

RUNNERS_UP = 4
"""Runners-up that are shown of each picture; --json has them all."""

MOST_WRITTEN, MOST_FILMED = 2000, 100
"""Most pictures in one call of `write`, and with a film or a strip."""

Beams = Annotated[int | None, typer.Option("--beam", min=1, max=100, help="Sentences written at once; greedy with 1.")]


def evaluate(
    path: RunPath,
    beam: Beams = None,
    data_dir: DataDir = None,
    split: SplitName = "test",
    as_json: AsJson = False,
) -> None:
    """Measure the sentences that a network writes itself: BLEU-1 to 4 and CIDEr-D; write metrics.json into RUN.

    Beams of 1, 3 and 5 are always measured; --beam chooses which of them, or which other, the headline shows.
    """
    model = {} if beam is None else {"beams": beam}
    evaluate_and_show(SYSTEM, path, data_dir, split, as_json=as_json, then=THEN, model=model)


def write(
    files: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Photographs.", show_default=False)],
    run: Annotated[Path, typer.Option(help="A trained network's run folder, or a shipped one's name.")] = DEFAULT,
    beam: Beams = None,
    gif: Annotated[Path | None, typer.Option(help="Film of the looking: .gif, .webp or .png.")] = None,
    strip: StripFile = None,
    seconds: Annotated[float, typer.Option(min=0.02, max=10, help="Seconds per word.")] = 0.6,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Describe photographs: a sentence for each, its runners-up, and where the network looked for each word."""
    outputs.check_inputs(files)
    most = MOST_FILMED if gif or strip else MOST_WRITTEN
    if len(files) > most:
        found = f"{len(files):,}{' with --gif or --strip' if gif or strip else ''}"
        raise InputError(f"at most {most:,} pictures", found, "write about them in several commands")
    outputs.check_all({"--gif": gif}, {"--strip": strip}, inputs=files, overwrite=overwrite)
    result_of(run, SYSTEM, "")
    from saccade.caption.writer import Writer
    from saccade.pipeline.animate import show
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen

    network = open_trained(run, SYSTEM)
    if beam is not None:
        network = network.with_model(beams=beam)
    assert isinstance(network, Writer)
    telling = network.write(files)
    wrote = show.write_pictures(telling.trace, gif, strip, seconds=seconds, overwrite=overwrite)
    answers = [
        {"picture": str(file), "sentences": [{"text": one.text, "score": one.score} for one in several]}
        for file, several in zip(files, telling.sentences, strict=True)
    ]
    if not as_json:
        for file, several in zip(files, telling.sentences, strict=True):
            typer.echo(f"{file}: {several[0].text}")
            for other in several[1 : 1 + RUNNERS_UP]:
                typer.echo(f"    or: {other.text}")
    screen.give({"wrote": wrote, "answers": answers}, as_json=as_json)


VERBS = {
    "train": train_command(SYSTEM, THEN),
    "eval": evaluate,
    "write": write,
    "gif": gif_command(SYSTEM),
}
