"""Processes, device and number format of the computation; memory that the C library keeps."""

import ctypes
import functools
import os
import platform

import torch
from accelerate import PartialState


def processes() -> PartialState:
    """Return this process's rank, their number and its device, as `accelerate launch` or `torchrun` set it."""
    return PartialState(cpu=not torch.accelerator.is_available())


def own_device() -> torch.device:
    """Return the device that this process computes on."""
    device = processes().device
    assert device is not None
    return device


def mixed_precision(precision: str, device: torch.device) -> str:
    """Return Accelerate's name for a config's precision: `auto` takes bf16 where the processor multiplies it."""
    if precision != "auto":
        return {"fp32": "no", "bf16": "bf16"}[precision]
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "no"
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return "bf16" if device.type == "cpu" and native else "no"


def only_deterministic(wanted: bool) -> None:
    """Refuse (True) or allow (False) operations whose results differ from call to call, on this process's devices.

    On the CPU there is none among ours: equal threads give equal results anyhow. On a GPU, sums whose order changes
    are replaced by slower ones; an operation without such a replacement raises RuntimeError.
    """
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first product is made on a GPU
    torch.backends.cudnn.deterministic = wanted
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(wanted)


def keep_freed_memory() -> bool:
    """Let glibc keep the memory that a training step frees, for the next one; return True if it does.

    Otherwise it gives the memory back to the system after every step and fetches it again, page by page, in the next:
    a fifth of a training of DRAW. At most one step's memory is kept.
    """
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    libc = _glibc()
    return bool(libc and libc.mallopt(mmap_threshold, 2**25) and libc.mallopt(trim_threshold, 2**31 - 1))


def give_back_memory() -> None:
    """Let glibc give empty pages back to the system.

    The results of each batch of a long evaluation lie between freed pages, and would otherwise hold on to them all.
    """
    if libc := _glibc():
        libc.malloc_trim(0)


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    """Return the C library of this process if it is glibc; asked once, for the answer is read out of a file."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
