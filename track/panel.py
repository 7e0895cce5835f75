"""The tracker's panel in the studio. Torch-free."""

from saccade.pipeline.panel import Panel

PANEL = Panel(
    title="Follow",
    about="A window follows what you put a box around, frame by frame, and says when it has lost it.",
    networks=("track-moving",),
    order=50,
)
"""Not in the static page: the tracker's Fourier transforms have no counterpart in ONNX Runtime Web."""
