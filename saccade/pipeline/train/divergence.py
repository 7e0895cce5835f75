"""A training step whose loss or gradient is not finite: the error, and the evidence that is kept."""

import math

from torch import nn

from saccade.errors import InputError
from saccade.pipeline.checkpoint.snapshot import Snapshot, on_cpu
from saccade.pipeline.contract import AnyEpisode
from saccade.recurrent.tree import Tree, named_tensors

NAMED = 3
"""Most parameters named in the message."""


class NotFinite(InputError):
    """A loss or a gradient is NaN or infinite; `evidence` is the batch, its noise and the weights that met it."""

    def __init__(self, found: str, evidence: Snapshot) -> None:
        super().__init__("a finite loss and gradient", found, "lower the learning rate, or set --clip")
        self.evidence = evidence


def not_finite(
    core: nn.Module, step: int, batch: Tree, episode: AnyEpisode, total: float, terms: dict[str, float], norm: float
) -> NotFinite:
    """Return the error for a step; its batch and episode are the whole ones, of all processes."""
    tensors = {f"batch/{name}": leaf for name, leaf in named_tensors(batch).items()}
    tensors |= {f"inputs/{name}": leaf for name, leaf in named_tensors(episode.inputs).items()}
    tensors |= {f"model/{name}": leaf for name, leaf in core.state_dict().items()}
    facts = {"loss": total, "terms": terms, "gradient_norm": norm}
    return NotFinite(f"{_culprits(core, total, terms, norm)} at step {step}", Snapshot(step, on_cpu(tensors), facts))


def _culprits(core: nn.Module, total: float, terms: dict[str, float], norm: float) -> str:
    """Return the terms of the loss that are not finite, or the parameters whose gradients are not."""
    bad = [f"{name} {value}" for name, value in terms.items() if not math.isfinite(value)]
    if bad or not math.isfinite(total):
        return f"{' and '.join(bad) or total} in the loss"
    named = core.named_parameters()
    bad = [name for name, p in named if p.grad is not None and not p.grad.isfinite().all()]
    where = ", ".join(bad[:NAMED]) + (f" and {len(bad) - NAMED} more" if len(bad) > NAMED else "")
    return f"a gradient of norm {norm} ({where or 'all of it'}), the loss being {total:.4g},"
