"""Optimizers: their parameters, the learning rate of each step, and their state in a checkpoint."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from saccade.errors import InputError
from saccade.pipeline.config import TrainConfig

WIDE = 64
"""Least rows and columns of a weight matrix that Muon takes."""


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Return a linear warm-up from 0, then a cosine down to `final_learning_rate`, for step 0 .. steps - 1."""
    warmup = round(config.warmup * steps)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    cosine = (1 + math.cos(math.pi * done)) / 2
    return config.learning_rate * (config.final_learning_rate + (1 - config.final_learning_rate) * cosine)


def optimizers(core: nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Return Adam for all of a core's parameters; or Muon (Jordan et al. 2024) for its weight matrices between wide
    layers, its step scaled to Adam's size, and Adam for the rest."""
    trainable = [p for p in core.parameters() if p.requires_grad]
    wide = [p for p in trainable if p.ndim == 2 and min(p.shape) >= WIDE] if config.optimizer == "muon" else []
    rest = [p for p in trainable if not any(p is other for other in wide)]
    found: list[torch.optim.Optimizer] = [torch.optim.Adam(rest, config.learning_rate, (0.9, config.beta2), fused=True)]
    if wide:
        scale = {"weight_decay": 0.0, "adjust_lr_fn": "match_rms_adamw"}
        found.append(torch.optim.Muon(wide, lr=config.learning_rate, **scale))
    return found


def moments(core: nn.Module, chosen: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """Return the state of a core's optimizers, by name: "optimizer/PARAMETER/KEY"."""
    found = {}
    for name, parameter in core.named_parameters():
        for optimizer in chosen:
            for key, value in optimizer.state.get(parameter, {}).items():
                found[f"optimizer/{name}/{key}"] = value
    return found


def restore_moments(core: nn.Module, chosen: Sequence[torch.optim.Optimizer], tensors: Mapping[str, Tensor]) -> None:
    """Hand the optimizers of a core what `moments` found, on the parameters' devices.

    Raises:
        InputError: a parameter's moments are not those that its optimizer keeps.
    """
    for name, parameter in core.named_parameters():
        prefix = f"optimizer/{name}/"
        state = {k.removeprefix(prefix): t.clone() for k, t in tensors.items() if k.startswith(prefix)}
        if not state:
            continue
        optimizer = next((o for o in chosen if any(p is parameter for p in o.param_groups[0]["params"])), None)
        expected = _kept(optimizer)
        for key, tensor in state.items():
            if tensor.shape != (() if key == "step" else parameter.shape) or state.keys() != expected:
                found = f"{prefix}{key} {list(tensor.shape)}"
                do = "give a checkpoint of this network with these settings"
                names = ", ".join(sorted(expected)) or "nothing"
                raise InputError(f"{names} of {prefix} as {list(parameter.shape)}", found, do)
        assert optimizer is not None
        optimizer.state[parameter] = {k: t if k == "step" else t.to(parameter.device) for k, t in state.items()}


def _kept(optimizer: torch.optim.Optimizer | None) -> set[str]:
    """Return the keys of the optimizer's state of a parameter: one number as `step`, else tensors of its shape."""
    if optimizer is None:
        return set()
    return {"momentum_buffer"} if isinstance(optimizer, torch.optim.Muon) else {"step", "exp_avg", "exp_avg_sq"}
