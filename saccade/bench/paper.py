"""Numbers of the papers, to compare with ours: test error in percent. Torch-free.

Mnih et al. 2014 (NIPS version), tables 1 and 2; Gregor et al. 2015, table 1, for the differentiable window.
"""

from typing import NamedTuple

MNIH, GREGOR = "Mnih et al. 2014", "Gregor et al. 2015"


class Quoted(NamedTuple):
    """A number from a paper."""

    label: str
    error_percent: float
    paper: str
    dataset: str


def _of(dataset: str, paper: str, rows: dict[str, float]) -> tuple[Quoted, ...]:
    return tuple(Quoted(label, error, paper, dataset) for label, error in rows.items())


_MNIST = _of(
    "MNIST 28 × 28",
    MNIH,
    {
        "RAM, 2 glimpses of 8 × 8": 3.79,
        "RAM, 3 glimpses of 8 × 8": 1.51,
        "RAM, 4 glimpses of 8 × 8": 1.54,
        "RAM, 5 glimpses of 8 × 8": 1.34,
        "RAM, 6 glimpses of 8 × 8": 1.12,
        "RAM, 7 glimpses of 8 × 8": 1.07,
        "FC, 2 layers of 256": 1.69,
        "Convolution, 2 layers": 1.21,
    },
)
_TRANSLATED = _of(
    "translated MNIST 60 × 60",
    MNIH,
    {
        "RAM, 4 glimpses of 12 × 12, 3 scales": 1.54,
        "RAM, 6 glimpses of 12 × 12, 3 scales": 1.22,
        "RAM, 8 glimpses of 12 × 12, 3 scales": 1.20,
        "FC, 2 layers of 256": 2.63,
        "Convolution, 2 layers": 1.62,
    },
)
_CLUTTERED = _of(
    "cluttered MNIST 60 × 60",
    MNIH,
    {
        "RAM, 4 glimpses of 12 × 12, 3 scales": 4.96,
        "RAM, 6 glimpses of 12 × 12, 3 scales": 4.08,
        "RAM, 8 glimpses of 12 × 12, 3 scales": 4.04,
        "RAM, 8 random glimpses": 14.4,
        "FC, 2 layers of 256": 11.96,
        "Convolution, 2 layers": 8.09,
    },
) + _of("cluttered MNIST 100 × 100", GREGOR, {"DRAW's window, 4 glimpses": 4.18, "DRAW's window, 8 glimpses": 3.36})

QUOTED = {"digits": _MNIST, "mnist": _MNIST, "translated": _TRANSLATED, "cluttered": _CLUTTERED}
"""The papers' numbers for each dataset of the benchmark; digits, which no paper uses, has those of MNIST."""
