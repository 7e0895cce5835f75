"""The report page: a single HTML file that loads nothing from the network."""

import sys
from importlib import resources
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined

from saccade.bench import views
from saccade.bench.collect import Collection, collect
from saccade.bench.films import Film, film_of
from saccade.errors import InputError
from saccade.pipeline.animate import palette
from saccade.pipeline.checkpoint.atomic_files import write_whole
from saccade.pipeline.provenance import provenance

LARGEST = 5_000_000
"""Largest size of a page, bytes."""

FILM_BYTES = 3_500_000
"""Largest total size of its films, bytes."""

FILMS = 6
"""Largest number of films on a page."""


def report(folders: list[Path], out: Path, data_dir: str | None = None) -> tuple[Path, list[str]]:
    """Write the page about some folders to `out`; return the file, and a line for each thing that cannot be shown.

    Raises:
        InputError: nothing in the folders can be shown, or the file cannot be written.
    """
    collection = collect(folders)
    if not collection.benchmarks and not collection.runs:
        raise InputError("a benchmark's folder or a run folder", collection.faults[0], "name a complete one")
    films, notes = _films(collection, data_dir)
    page = render(collection, films, notes)
    assert len(page) < LARGEST, f"a page of {len(page)} bytes"
    write_whole(out, page)
    return out, collection.faults


def render(collection: Collection, films: dict[Path, Film], notes: dict[Path, str]) -> bytes:
    """Return the page as bytes; `notes` say why a run has no film."""
    environment = Environment(loader=FunctionLoader(_file), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters["short"] = views.short
    page = environment.get_template("page.html").render(
        benchmarks=[views.benchmark(path, content) for path, content in collection.benchmarks],
        columns=views.COLUMNS,
        shown=views.first_of_each_label(collection.runs),
        runs=collection.runs,
        curves=views.curves(collection.runs),
        films=films,
        notes=notes,
        faults=collection.faults,
        provenance=provenance() | {"command": ["saccade", *sys.argv[1:]]},
        colours={name: "#" + bytes(getattr(palette, name)).hex() for name in ("GROUND", "INK", "QUIET", "FAINT")},
    )
    return page.encode()


def _file(name: str) -> str:
    return resources.files("saccade.bench").joinpath("page", name).read_text(encoding="utf-8")


def _films(collection: Collection, data_dir: str | None) -> tuple[dict[Path, Film], dict[Path, str]]:
    """Return films of the first seed of each network, as many as fit on the page, and why others have none."""
    films: dict[Path, Film] = {}
    notes: dict[Path, str] = {}
    room = FILM_BYTES
    for run in views.first_of_each_label(collection.runs):
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
