"""Types of the parts of benchmark.json."""

from typing import Literal, NotRequired, TypeAlias, TypedDict

from saccade.json_types import Record
from saccade.pipeline.provenance import Provenance


class Machine(TypedDict):
    """The machine that a benchmark ran on."""

    processor: str
    cores: int | None
    memory_gib: float
    system: str
    threads: int
    """Threads of torch."""


class Failure(TypedDict):
    """A run whose training failed, and the reason."""

    run: str
    fault: str


class Spread(TypedDict):
    """A number over several seeds; the standard deviation is None for a single seed."""

    mean: float
    min: float
    max: float
    std: float | None
    values: list[float]


class MeasuredRow(TypedDict):
    """The results of a network over its seeds."""

    source: Literal["measured"]
    name: str
    label: str
    family: str
    ranked: bool
    dataset: str
    seeds: list[int]
    error_percent: Spread
    error_is_of: str
    """The condition of the evaluation that the error is of."""
    train_seconds: Spread
    command: str
    runs: list[str]
    settings: Record


class PaperRow(TypedDict):
    """A number quoted from a paper."""

    source: Literal["paper"]
    label: str
    error_percent: float
    paper: str
    dataset: str


ResultRow: TypeAlias = MeasuredRow | PaperRow


class Throughput(TypedDict):
    """The highest throughput, and its batch size."""

    images_per_second: float
    batch: int


class Cost(TypedDict):
    """The cost of one answer, and of a training step."""

    parameters: int
    multiply_adds: int
    pixels_read: int
    peak_memory_bytes: int
    training_peak_bytes: int
    training_batch: int
    latency_ms: NotRequired[float]
    latency_wall_ms: NotRequired[float]
    latency_eager_ms: NotRequired[float]
    throughput: NotRequired[Throughput]


class NetworkGrowth(TypedDict):
    """The cost of one network by image size, and the exponents fitted to it."""

    label: str
    family: str
    latency_ms: list[float]
    multiply_adds: list[int]
    peak_memory_bytes: list[int]
    quickest_ms: list[float]
    exponent: dict[str, float]
    slower_than_ram_from: NotRequired[float | None]
    """Image size above which RAM is faster; None: at no measured size."""


class Growth(TypedDict):
    """The cost of the networks by image size."""

    sizes: list[int]
    rounds: int
    networks: dict[str, NetworkGrowth]


class ErrorCurves(TypedDict):
    """Test error of several networks by one property of the images."""

    x: list[int]
    error_percent: dict[str, list[float]]
    trained_with: int


class Robustness(TypedDict):
    """Test error on images unlike those of the training."""

    examples: int
    labels: dict[str, str]
    pieces: ErrorCurves
    side: ErrorCurves


class Benchmark(TypedDict):
    """The content of benchmark.json; an interrupted benchmark lacks some of the last four keys."""

    format: int
    dataset: str
    full: bool
    facts: Provenance
    machine: Machine
    failed: list[Failure]
    rows: list[ResultRow]
    costs: dict[str, Cost]
    growth: Growth
    robustness: Robustness
