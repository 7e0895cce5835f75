"""A trained network at work, as an animated picture that stands inside the page."""

import base64
import tempfile
from pathlib import Path
from typing import NamedTuple

from saccade.draw import sheets as studio
from saccade.pipeline import trained as verbs
from saccade.pipeline.animate import film as animate
from saccade.pipeline.contract import load

EXAMPLES = 6
COLUMNS = 3
SECONDS = 0.7
LONG = 12
"""Steps above which a film shows no movement between two of them."""


class Film(NamedTuple):
    """An animated WebP as a data URI, its size in pixels and what it shows."""

    uri: str
    width: int
    height: int
    caption: str


def film_of(system: str, folder: Path, data_dir: str | None = None) -> Film | None:
    """Six examples at once: the gaze over held-out images, or drawings made up out of noise; None for a single look.

    Raises:
        InputError: the run has no whole checkpoint, or its data are not at hand.
    """
    package = load(system)
    if hasattr(package, "generate"):
        network = verbs.open_network(folder, system)
        trace = studio.imagine(network, [-1] * EXAMPLES, seed=0)
        caption = "Drawn out of noise, step by step."
    else:
        network, source = verbs.open_images(folder, system, data_dir)
        trace = verbs.look(network, verbs.held_out(source, "test", 0, EXAMPLES))
        caption = "Six test images: where the gaze goes, and what the network believes."
    steps = len(trace.outputs[0])
    if steps == 1:
        return None
    between = 2 if steps <= LONG else 0
    films = [animate.frames(package.tile, trace, [example], between=between) for example in range(EXAMPLES)]
    film = animate.grid(films, COLUMNS)
    height, width = film.frames[0].shape[:2]
    with tempfile.TemporaryDirectory() as scratch:
        path = animate.write(Path(scratch) / "film.webp", film, seconds_per_frame=SECONDS if steps <= LONG else 0.1)
        uri = "data:image/webp;base64," + base64.b64encode(path.read_bytes()).decode()
    return Film(uri, width, height, caption)
