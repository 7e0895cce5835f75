"""Films of trained networks, as animated images embedded in the page."""

import base64
import tempfile
from pathlib import Path
from typing import NamedTuple

from saccade.pipeline.animate import film, show
from saccade.pipeline.contract import load_system
from saccade.pipeline.trained import open_trained

EXAMPLES = 6
COLUMNS = 3
SECONDS = 0.7
LONG = 12
"""A film of more steps than this shows no movement between the steps."""


class Film(NamedTuple):
    """An animated WebP as a data URI, with its size in pixels and its caption."""

    uri: str
    width: int
    height: int
    caption: str


def film_of(system: str, folder: Path, data_dir: str | None = None) -> Film | None:
    """Return a film of six examples, or None for a network with a single step.

    Raises:
        InputError: the run has no complete checkpoint, or its dataset is missing.
    """
    network, package = open_trained(folder, system), load_system(system)
    trace = package.showcase(network, network.source(data_dir) if package.reads_data else None, EXAMPLES)
    steps = show.steps(trace)
    if steps == 1:
        return None
    drawn = show.render(trace, between=2 if steps <= LONG and package.glide_frames else 0, columns=COLUMNS)
    height, width = drawn.frames[0].shape[:2]
    with tempfile.TemporaryDirectory() as scratch:
        path = film.write(Path(scratch) / "film.webp", drawn, seconds_per_frame=SECONDS if steps <= LONG else 0.1)
        uri = "data:image/webp;base64," + base64.b64encode(path.read_bytes()).decode()
    return Film(uri, width, height, package.showcase_caption())
