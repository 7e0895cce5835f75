"""The translator's panel in the studio. Torch-free."""

from saccade.pipeline.panel import Panel

PANEL = Panel(
    title="Translate",
    about="A German sentence becomes English, word by word; you see where the network looks for each word.",
    networks=("translate-de-en",),
    order=60,
)
"""Not in the static page: its weights would not fit."""
