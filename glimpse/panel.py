"""RAM's panel in the studio. Torch-free."""

from saccade.pipeline.panel import Panel

NETWORKS = ("ram-mnist", "ram-cluttered")

PANEL = Panel(
    title="Look",
    about="A network that reads a digit by a few small glimpses, and chooses where to look next.",
    networks=NETWORKS,
    order=10,
    graphs=tuple((name, "network") for name in NETWORKS),
)
