"""Saccade: recurrent networks that look and draw, a step at a time.

    import saccade
    reader = saccade.load("ram-mnist")
    reader.read("digit.png")[0].label

Everything else has its place in a subpackage: `saccade.recurrent` (the recurrent core), `saccade.glimpse`,
`saccade.draw` and the other systems, `saccade.pipeline` (training, checkpoints, evaluation, films). torch is imported
when a function is called, not with the package.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saccade.pipeline.contract import Split, Trace
    from saccade.pipeline.trained import AnyTrained

__all__ = ["evaluate", "film", "load", "strip", "systems", "train"]


def load(name: str | Path) -> AnyTrained:
    """Load a trained network: a shipped one by its name (`saccade models` lists them), or the folder of a training.

    Returns:
        An object of the system's own class. RAM gives a `saccade.glimpse.reader.Reader` (`read`, `trace`), DRAW a
            `saccade.draw.painter.Painter` (`generate`, `complete`), other systems a
            `saccade.pipeline.trained.Trained` (`look`, `evaluate`).

    Raises:
        saccade.errors.InputError: no such network, or a damaged one.
    """
    from saccade.pipeline.trained import open_trained

    return open_trained(name)


def train(system: str, *, out: str | Path, quiet: bool = False, fresh: bool = False, **settings: Any) -> Path:
    """Train a network; the same call again resumes it, or returns at once if it is finished.

    Args:
        system: name of a system, e.g. "glimpse"; `systems()` lists them.
        out: the run folder.
        quiet: show no progress.
        fresh: start again in a folder that holds a run.
        settings: any setting of the system's data, model or training, as on the command line
            (`saccade SYSTEM train --help`): dataset="digits", epochs=30, glimpses=7.

    Returns:
        The run folder, for `load` and `evaluate`.

    Raises:
        saccade.errors.InputError: an unknown system or setting, a value out of range, data that are missing or do not
            fit, a folder that holds something else. Nothing is written then.
    """
    from saccade.pipeline import systems as installed
    from saccade.pipeline.config import default_run, route
    from saccade.pipeline.session import train_run
    from saccade.terminal.screen import Meter

    spec = installed.spec(system)
    run = route(default_run(system, spec), settings)
    train_run(run, Path(out), fresh=fresh, reporter=None if quiet else Meter(spec))
    return Path(out)


def evaluate(run: str | Path | AnyTrained, split: Split = "test", data_dir: str | None = None) -> dict[str, Any]:
    """Measure a trained network on a held-out split, and write metrics.json into its run folder.

    Args:
        run: a run folder, a shipped network's name, or what `load` returned.
        split: "test" or "validation".
        data_dir: folder of the data, if it is not the training's.

    Returns:
        The content of metrics.json.

    Raises:
        saccade.errors.InputError: no such network, or data that are missing or do not fit.
    """
    from saccade.pipeline.trained import Trained

    network = run if isinstance(run, Trained) else load(run)
    return network.evaluate(split, network.source(data_dir))[0]


def film(
    trace: Trace, path: str | Path, *, seconds: float = 0.5, columns: int | None = None, overwrite: bool = False
) -> Path:
    """Draw what a network did as a film: one example large, several as a wall of tiles.

    Args:
        trace: what the network did, e.g. `load("ram-mnist").trace(images)`.
        path: .gif, .webp, .png or .apng.
        seconds: how long a step is shown.
        columns: tiles in a row.
        overwrite: replace a file there that Saccade did not write; its own are replaced without it.

    Raises:
        saccade.errors.InputError: another ending, or a folder that is not there or cannot be written to.
    """
    from saccade.pipeline.animate.show import write_film

    return write_film(trace, path, seconds=seconds, columns=columns, overwrite=overwrite)


def strip(trace: Trace, path: str | Path, *, overwrite: bool = False) -> Path:
    """Draw what a network did as a PNG sheet of its steps, a row for each example.

    Raises:
        saccade.errors.InputError: another ending, or a folder that is not there or cannot be written to.
    """
    from saccade.pipeline.animate.show import write_strip

    return write_strip(trace, path, overwrite=overwrite)


def systems() -> list[str]:
    """Return the names of the installed systems."""
    from saccade.pipeline.systems import names

    return names()
