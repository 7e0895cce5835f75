"""The panels of all installed systems, found by their names. Torch-free."""

import importlib.util
from pathlib import Path

from saccade.errors import InputError
from saccade.json_types import Record
from saccade.pipeline import systems
from saccade.pipeline.panel import Panel

PAGE = Path(__file__).with_name("page")
"""The files that all panels share."""

MOST_FILES, LARGEST_FILE = 64, 2**21
"""Most files in a panel's folder, and bytes of one: a folder that holds more is no panel's."""


def panels() -> dict[str, Panel]:
    """Return the panels by their systems' names, in the order of the menu.

    Raises:
        InputError: a `panel` module without `PANEL`.
    """
    found = {name: panel_of(name) for name in systems.names() if systems.has(name, "panel")}
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def panel_of(name: str) -> Panel:
    """Return the panel of a system that has one.

    Raises:
        InputError: its module has no `PANEL`.
    """
    panel = getattr(systems.module(name, "panel"), "PANEL", None)
    if not isinstance(panel, Panel):
        raise InputError(f"PANEL, a Panel, in {systems.packages()[name]}.panel", f"{panel!r:.60}", DO)
    return panel


def folder_of(name: str) -> Path:
    """Return the folder of a panel's files for the browser.

    Raises:
        InputError: it is not there, or lacks panel.html or panel.js.
    """
    spec = importlib.util.find_spec(systems.packages()[name])
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "page"
    missing = [file for file in ("panel.html", "panel.js") if not (folder / file).is_file()]
    if missing:
        raise InputError(f"panel.html and panel.js in {folder}", f"no {missing[0]}", DO)
    return folder


def files_of(folder: Path) -> list[Path]:
    """Return the files of a panel's folder, relative to it."""
    found = sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    return [file for file in found if not any(part.startswith((".", "_")) for part in file.parts)]


def menu(names: dict[str, Panel], *, live: bool) -> Record:
    """Return `studio.json`, the page's first file: the panels in order, and if Python answers them."""
    entries = [
        {
            "name": name,
            "title": panel.title,
            "about": panel.about,
            "networks": list(panel.networks),
            "style": (folder_of(name) / "panel.css").is_file(),
        }
        for name, panel in names.items()
    ]
    return {"live": live, "panels": entries}


DO = "see docs/new-system.md"
