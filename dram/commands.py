"""The verbs of `saccade dram`. Torch-free until one runs."""

from pathlib import Path
from typing import Annotated

import typer

from saccade.errors import InputError
from saccade.pipeline import outputs
from saccade.terminal.arguments import AsJson, Overwrite, StripFile
from saccade.terminal.verbs import eval_command, gif_command, result_of, train_command

SYSTEM = "dram"
THEN = ("gif {} --index 7",)

DEFAULT = Path("dram-digits")
"""The shipped network that reads by default."""

MOST_READ, MOST_FILMED = 2000, 400
"""Most pictures in one call of `read`, and with a film or a strip."""


def read(
    files: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="Picture files.", show_default=False)],
    run: Annotated[Path, typer.Option(help="A trained network's run folder, or a shipped one's name.")] = DEFAULT,
    gif: Annotated[Path | None, typer.Option(help="Film of the reading: .gif, .webp or .png.")] = None,
    strip: StripFile = None,
    condition: Annotated[
        str | None, typer.Option(help="Choice of the locations, e.g. random; by default the policy's mean.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.02, max=10, help="Seconds per glimpse.")] = 0.6,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Read numbers in your own pictures: text, probabilities, glimpses spent, and what speaks against the answer."""
    outputs.check_inputs(files)
    most = MOST_FILMED if gif or strip else MOST_READ
    if len(files) > most:
        found = f"{len(files):,}{' with --gif or --strip' if gif or strip else ''}"
        raise InputError(f"at most {most:,} pictures", found, "read them in several commands")
    outputs.check_all({"--gif": gif}, {"--strip": strip}, inputs=files, overwrite=overwrite)
    result_of(run, SYSTEM, "")
    from saccade.dram.reader import Reader, readings
    from saccade.pipeline.animate import show
    from saccade.pipeline.trained import open_trained
    from saccade.terminal import screen

    network = open_trained(run, SYSTEM)
    assert isinstance(network, Reader)
    trace = network.trace(files, condition)
    wrote = show.write_pictures(trace, gif, strip, seconds=seconds, overwrite=overwrite)
    found = readings(trace)
    if not as_json:
        rows = [
            {
                "picture": file.name,
                "text": one.text or "(none)",
                "least sure": f"{min(one.probabilities, default=0):.1%}",
                "glimpses": str(one.spent),
                "stopped": "by itself" if one.stopped else "out of glimpses",
                "doubt": one.doubt or "",
            }
            for file, one in zip(files, found, strict=True)
        ]
        screen.show_table("", rows)
    answers = [{"picture": str(file), **one._asdict()} for file, one in zip(files, found, strict=True)]
    screen.give({"wrote": wrote, "answers": answers}, as_json=as_json)


VERBS = {
    "train": train_command(SYSTEM, THEN),
    "eval": eval_command(SYSTEM, THEN),
    "gif": gif_command(SYSTEM),
    "read": read,
}
