"""Types of the results that systems print: answers to images, nearest neighbours, completions."""

from typing import Protocol, TypedDict


class Reading(Protocol):
    """The answer to one image, as a classifier gives it."""

    @property
    def label(self) -> str: ...
    @property
    def probabilities(self) -> dict[str, float]: ...
    @property
    def gaze(self) -> list[tuple[float, float]]: ...
    @property
    def truth(self) -> str | None: ...
    @property
    def doubt(self) -> str | None: ...
    @property
    def digit(self) -> int: ...
    @property
    def digits(self) -> int: ...


class Answer(TypedDict):
    """The answer to one image, as JSON holds it."""

    image: str | int
    label: str
    probabilities: dict[str, float]
    gaze: list[tuple[float, float]]
    truth: str | None
    doubt: str | None
    digit: int
    digits: int


class Neighbours(TypedDict):
    """Distances to the nearest training images: of generated images, and of held-out images for comparison."""

    median_distance: float
    held_out_median_distance: float


Completion = TypedDict(
    "Completion",
    {
        "class": str | None,
        "bound_nats": float,
        "kl_nats": float,
        "nats_per_given_pixel": float,
        "agreement_percent": float,
    },
)
"""One completion of an unfinished picture."""


class Completions(TypedDict):
    """The completions of one unfinished picture, and the mean bound before and after refinement."""

    endings: list[Completion]
    given_pixels: int
    amortised_bound_nats: float
    bound_nats: float
