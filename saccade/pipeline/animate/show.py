"""From a trace to a film or a strip, by its system's own renderer: one example large, several as a wall of tiles."""

from pathlib import Path

from saccade.pipeline.animate import film
from saccade.pipeline.animate.film import Film
from saccade.pipeline.animate.page import Pixels
from saccade.pipeline.contract import Trace, load_system
from saccade.pipeline.progress import track
from saccade.recurrent.tree import count, named_tensors

STRIP_COLUMNS = 3
"""Large frames in a row of a film strip."""


def write_film(
    trace: Trace, path: Path | str, *, seconds: float = 0.5, columns: int | None = None, overwrite: bool = False
) -> Path:
    """Draw a trace as a film: one example large, several as a wall of tiles.

    Args:
        trace: what the network did.
        path: .gif, .webp, .png or .apng.
        seconds: how long a step is shown.
        columns: tiles in a row of the wall; by default about as many as rows.
        overwrite: replace a file there that Saccade did not write.

    Raises:
        InputError: see `saccade.pipeline.outputs.check`.
    """
    film.check(path, overwrite=overwrite)
    return film.write(path, render(trace, columns=columns), seconds_per_frame=seconds, overwrite=overwrite)


def write_strip(trace: Trace, path: Path | str, *, caption: str = "", overwrite: bool = False) -> Path:
    """Draw a trace as a PNG sheet of its steps, a row for each example.

    Args:
        trace: what the network did.
        path: .png.
        caption: a line above the sheet.
        overwrite: replace a file there that Saccade did not write.

    Raises:
        InputError: see `saccade.pipeline.outputs.check`.
    """
    film.check_strip(path, overwrite=overwrite)
    frames, columns = strip_frames(trace)
    return film.write_strip(path, frames, columns, caption=caption, overwrite=overwrite)


def write_pictures(
    trace: Trace, film: Path | None, strip: Path | None, *, seconds: float, overwrite: bool
) -> list[str]:
    """Draw a trace as the strip and the film that a command was asked for, either or none; return their paths.

    Raises:
        InputError: see `saccade.pipeline.outputs.check`.
    """
    wrote = [write_strip(trace, strip, overwrite=overwrite)] if strip else []
    wrote += [write_film(trace, film, seconds=seconds, overwrite=overwrite)] if film else []
    return [str(file) for file in wrote]


def render(trace: Trace, *, between: int | None = None, columns: int | None = None) -> Film:
    """Draw the frames of a film.

    Args:
        between: frames on the way from one step to the next; by default the system's.
        columns: tiles in a row, of several examples.
    """
    system, examples = load_system(trace.system), range(count(trace.batch))
    if between is None:
        between = system.glide_frames if steps(trace) <= system.glide_up_to else 0
    picture = system.picture if len(examples) == 1 else system.tile
    shown = track(examples, "drawing the film", len(examples))
    films = [film.frames(picture, trace, [example], between=between) for example in shown]
    return films[0] if len(films) == 1 else film.grid(films, columns)


def strip_frames(trace: Trace) -> tuple[list[Pixels], int]:
    """Draw the frames of a strip; return them and how many stand in a row."""
    system, examples, length = load_system(trace.system), range(count(trace.batch)), steps(trace)
    shown = min(length, system.strip_frames)
    times = [round(i * (length - 1) / max(1, shown - 1)) for i in range(shown)]
    large = len(examples) == 1 and not system.strip_of_tiles
    picture = system.picture if large else system.tile
    frames = [picture(trace, t, example) for example in examples for t in times]
    return frames, min(shown, STRIP_COLUMNS) if large else shown


def steps(trace: Trace) -> int:
    """Return the number of steps T of a trace."""
    return len(next(iter(named_tensors(trace.outputs).values())))
