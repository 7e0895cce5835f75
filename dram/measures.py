"""DRAM's metrics: whole texts, symbols, stops, glimpses, and how far the gaze is from what it reads."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from saccade.dram.answers import answers, edit_distance, multiset_distance
from saccade.dram.config import Config
from saccade.dram.trace import GazeInputs, Reading
from saccade.json_types import Record

CONTROLS = ("another_picture", "random", "centre", "oracle")


def places_known(places: Float[Tensor, "B L 2"], count: Int64[Tensor, " B"]) -> bool:
    """Return True if the middles of all symbols of all pictures are known."""
    present = torch.arange(places.shape[1], device=places.device) < count[:, None]
    return bool((count > 0).all()) and not bool(places[present].isnan().any())


def measured(
    outputs: Reading, inputs: GazeInputs, targets: Int64[Tensor, "B S"], count: Int64[Tensor, " B"], config: Config
) -> dict[str, Tensor]:
    """Measure each picture; of several rollouts the first.

    Returns:
        distance [B], the edit distance from the text read to the true one; read and count [B], symbols read and there;
        spent [B], glimpses; location [B, T, 2]; and if the symbols' places are known, miss [B, T]: the pixels from each
        glimpse to the middle of the symbol that it is about, NaN at glimpses about none.
    """
    each = config.each
    found = answers(outputs, each)
    end = outputs.logits.shape[2] - 1
    truth = targets.masked_fill(targets == end, -1)
    if config.order == "any":
        distance = multiset_distance(found.symbols, truth, end)
    else:
        distance = edit_distance(found.symbols, truth)
    location = outputs.location.transpose(0, 1)
    values = {"distance": distance, "read": found.number, "count": count, "spent": found.spent, "location": location}
    places = inputs.places[0]
    if config.network == "attention" and config.order == "reading" and places_known(places, count):
        half = outputs.windows[0, 0, 0, 2:]  # of the finest window, whose side is g pixels
        middle = _padded(places, outputs.location.shape[0] // each).repeat_interleave(each, dim=1)  # [B, T, 2]
        values["miss"] = ((location - middle) * (config.patch / 2) / half).norm(dim=2)
    examples = len(count) // config.copies
    return {name: value[:examples].detach() for name, value in values.items()}


def _padded(places: Tensor, objects: int) -> Tensor:
    """Return the places of so many objects [B, S, 2], NaN beyond those there are."""
    if objects <= places.shape[1]:
        return places[:, :objects]
    return torch.cat([places, places.new_full((len(places), objects - places.shape[1], 2), torch.nan)], dim=1)


def _percent(wrong: Tensor) -> float:
    return round(100 * wrong.double().mean().item(), 4)


def report(results: Mapping[str, Mapping[str, Tensor]], config: Config) -> Record:
    """Return the system's part of metrics.json; the main condition comes first."""
    name, main = next(iter(results.items()))
    error = {key: _percent(found["distance"] > 0) for key, found in results.items()}
    count, read = main["count"], main["read"]
    lengths = sorted(set(count.tolist()))
    found: Record = {
        "error_percent": {key: error[key] for key in (name, "one_rollout") if key in error},
        "symbol_error_percent": round(100 * main["distance"].sum().item() / count.sum().item(), 4),
        "edit_distance": main["distance"].double().mean().item(),
        "glimpses_spent": main["spent"].double().mean().item(),
        "stops_percent": {"early": _percent(read < count), "late": _percent(read > count)},
        "error_percent_by_count": {str(n): _percent(main["distance"][count == n] > 0) for n in lengths},
        "controls": {key: error[key] for key in CONTROLS if key in error},
        "glimpses": config.glimpses,
    }
    if "miss" in main:
        miss = main["miss"]
        there = ~miss.isnan()
        within = [miss[:, g :: config.glimpses][there[:, g :: config.glimpses]] for g in range(config.glimpses)]
        found["gaze"] = {"median_distance_pixels": [part.median().item() for part in within]}
    return found
