"""One page that shows what was measured: a single HTML file that asks nothing of the network."""

import sys
from importlib import resources
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined

from saccade.bench import views
from saccade.bench.collect import Found, collect
from saccade.bench.films import Film, film_of
from saccade.errors import InputError
from saccade.pipeline.animate import palette
from saccade.pipeline.checkpoint.atomic_files import write_whole
from saccade.pipeline.provenance import provenance

LARGEST = 5_000_000
"""Bytes of a page."""

FILM_BYTES = 3_500_000
"""What all its films may take together."""

FILMS = 6
"""Most films of a page."""


def report(folders: list[Path], out: Path, data_dir: str | None = None) -> tuple[Path, list[str]]:
    """Write the page about some folders to `out`; the file, and a line for each thing that is missing from it.

    Raises:
        InputError: nothing in the folders can be shown, or the file cannot be written.
    """
    found = collect(folders)
    if not found.benchmarks and not found.runs:
        raise InputError("a benchmark's folder or a run folder", found.faults[0], "name one that is whole")
    films, notes = _films(found, data_dir)
    page = render(found, films, notes)
    assert len(page) < LARGEST, f"a page of {len(page)} bytes"
    write_whole(out, page)
    return out, found.faults


def render(found: Found, films: dict[Path, Film], notes: dict[Path, str]) -> bytes:
    """The page's bytes, of what was found and the films of some of its runs."""
    environment = Environment(loader=FunctionLoader(_file), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters["short"] = views.short
    page = environment.get_template("page.html").render(
        benchmarks=[views.benchmark(path, content) for path, content in found.benchmarks],
        columns=views.COLUMNS,
        shown=views.shown(found.runs),
        runs=found.runs,
        curves=views.curves(found.runs),
        films=films,
        notes=notes,
        faults=found.faults,
        provenance=provenance() | {"command": ["saccade", *sys.argv[1:]]},
        colours={name: "#" + bytes(getattr(palette, name)).hex() for name in ("GROUND", "INK", "QUIET", "FAINT")},
    )
    return page.encode()


def _file(name: str) -> str:
    return resources.files("saccade.bench").joinpath("page", name).read_text(encoding="utf-8")


def _films(found: Found, data_dir: str | None) -> tuple[dict[Path, Film], dict[Path, str]]:
    """Films of the first seed of each network, as many as the page has room for; why others have none."""
    films: dict[Path, Film] = {}
    notes: dict[Path, str] = {}
    room = FILM_BYTES
    for run in views.shown(found.runs):
        if len(films) == FILMS:
            break
        try:
            film = film_of(run.system, run.path, data_dir)
        except InputError as error:
            notes[run.path] = str(error)
            continue
        if film and len(film.uri) <= room:
            films[run.path], room = film, room - len(film.uri)
        elif film:
            notes[run.path] = "its film would make the page too large"
    return films, notes
