"""Where and in which number format the products run, and how the processor's memory is kept."""

import ctypes
import functools
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def mixed_precision(precision: str, device: torch.device) -> str:
    """accelerate's name for a config's precision: `auto` takes bf16 where the processor multiplies it natively."""
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


def allow_fast_fp32() -> bool:
    """Let oneDNN multiply fp32 matrices where it is exact to fp32 rounding; say whether it does.

    torch multiplies fp32 on the CPU through another library that is up to twice slower on some processors. torch's
    switch for oneDNN also permits bf16 products on processors that have matrix units for them, so a product is tried
    first, and the switch is put back unless its rounding is fp32's.
    """
    matmul = torch.backends.mkldnn.matmul  # pyright: ignore[reportAttributeAccessIssue]
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(128, 128, generator=generator) for _ in range(2))
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    error = ((a @ b).double() / (a.double() @ b.double()) - 1).abs().max().item()
    if error > 1e-5:
        matmul.fp32_precision = before
    return error <= 1e-5


@contextmanager
def plain_fp32() -> Iterator[None]:
    """Multiply fp32 matrices as torch does by itself, whatever `allow_fast_fp32` allowed: oneDNN prepares every product
    anew, which takes longer than many small ones side by side, such as those of the windows on an image."""
    matmul = torch.backends.mkldnn.matmul  # pyright: ignore[reportAttributeAccessIssue]
    before = matmul.fp32_precision
    matmul.fp32_precision = "ieee"
    try:
        yield
    finally:
        matmul.fp32_precision = before


def make_fast(device: torch.device) -> None:
    """What makes torch faster on that device without changing what it computes; for this process, once or more."""
    if device.type == "cpu":
        allow_fast_fp32()
        keep_freed_memory()


def keep_freed_memory() -> bool:
    """Let glibc keep the memory that a training step frees, for the next one; say whether it does.

    It would give it back to the system after every step and fetch it anew, page by page, in the next: a fifth of a
    training of DRAW. What is kept is what one step needs at most.
    """
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    libc = _glibc()
    return bool(libc and libc.mallopt(mmap_threshold, 2**25) and libc.mallopt(trim_threshold, 2**31 - 1))


def give_back_memory() -> None:
    """Let glibc give the pages that hold nothing back to the system: what stays of each batch of a long evaluation lies
    between what was freed, and would otherwise hold on to all of it."""
    if libc := _glibc():
        libc.malloc_trim(0)


@functools.cache
def _glibc() -> ctypes.CDLL | None:
    """The C library of this process where it is glibc; asked once, for the answer is read out of a file."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
