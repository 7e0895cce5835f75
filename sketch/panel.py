"""sketch-rnn's panel in the studio. Torch-free."""

from saccade.pipeline.panel import Panel

DIGITS, CHARACTERS, READER = "sketch-digits", "sketch-omniglot", "sketch-reader"

PANEL = Panel(
    title="Sketch",
    about="Begin a drawing with the pen. The network goes on from where you lift it; then it is your turn again.",
    networks=(DIGITS, CHARACTERS, READER),
    order=30,
    graphs=(
        (DIGITS, "network"),
        (DIGITS, "encoder"),
        (CHARACTERS, "network"),
        (CHARACTERS, "encoder"),
        (READER, "network"),
    ),
)
