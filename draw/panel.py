"""DRAW's panel in the studio. Torch-free."""

from saccade.pipeline.panel import Panel

LABELLED, FREE = "draw-mnist-labelled", "draw-mnist"

PANEL = Panel(
    title="Draw",
    about="A network that writes digits stroke by stroke, through a moving window, and finishes what you began.",
    networks=(LABELLED, FREE),
    order=20,
    graphs=((LABELLED, "encoder"), (LABELLED, "generator"), (FREE, "generator")),
)
