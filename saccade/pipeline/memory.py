"""Memory that a training needs at least, estimated before the network is built."""

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import torch

from saccade.errors import InputError
from saccade.pipeline.config import TrainConfig
from saccade.recurrent.core import AnyCore

CONTAINER = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Files in which Linux says how much memory a container may use."""


SHARE = 0.8
"""Of the free memory; the rest is for a batch and for the start."""


def check_room(build: Callable[[], AnyCore], train: TrainConfig, device: torch.device) -> None:
    """Check that a network fits into the memory together with its gradients, moments and average.

    What a batch takes comes on top of that and is not estimated.

    Args:
        build: builds the network; called on the meta device, which costs no memory.
        device: the training's.

    Raises:
        InputError: it does not fit; or the settings do not fit the data.
    """
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in build().parameters())
    copies = {"adam": 5, "muon": 4}[train.optimizer] + (train.ema > 0)  # two of the weights (one is saved), and so on
    needed, there = 4 * parameters * copies, free_memory(device)
    if there is not None and needed > SHARE * there:
        found = f"{needed / 1e9:,.1f} GB for {parameters:,} parameters, their gradients and the optimizer's moments"
        raise InputError(f"a network that fits into the {there / 1e9:,.1f} GB of memory that are free", found, DO)


DO = "make the network smaller, e.g. by --hidden or --layers"


def free_memory(device: torch.device) -> int | None:
    """Return the bytes of memory that are free, the container's limit included; None if the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    found = []
    with contextlib.suppress(OSError, ValueError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with contextlib.suppress(OSError, AttributeError):
        free = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
        found += [1024 * int(free[1])] if free else []
    for file in CONTAINER:
        with contextlib.suppress(OSError, ValueError):  # no container, or "max"
            found.append(int(file.read_text()))
    return min(found, default=None)
