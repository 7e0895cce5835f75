"""A network's thread: steps of several pages are one batch, and each page gets what it would get alone."""

import asyncio
from typing import Any

import pytest
import torch

from saccade.recurrent.cells import HiddenState, VanillaRNN
from saccade.recurrent.unroll import unroll
from saccade.studio.worker import Worker


class Slow(VanillaRNN):
    """A core that fails for inputs that are not finite."""

    def forward(self, inputs: Any, state: Any, context: Any = None) -> Any:
        if not inputs.isfinite().all():
            raise ValueError("not finite")
        return super().forward(inputs, state, context)


def test_steps_of_many_pages_are_batches_and_equal_those_of_one() -> None:
    torch.manual_seed(0)
    core, worker = Slow(3, 8), Worker("test")
    sequences = [torch.randn(6, size, 3) for size in (1, 2, 1, 3, 1, 1, 2, 1)]

    async def page(inputs: torch.Tensor) -> torch.Tensor:
        state, outputs = await worker.initial(core, inputs.shape[1]), []
        for step in inputs:
            output, state = await worker.step(core, step, state, None)
            outputs.append(output)
        return torch.stack(outputs)

    async def all_pages() -> list[torch.Tensor]:
        blocked = asyncio.get_running_loop().create_task(worker.call(lambda: torch.arange(1000)))
        found = await asyncio.gather(*map(page, sequences))
        await blocked
        return found

    found = asyncio.run(all_pages())
    worker.close()
    for inputs, outputs in zip(sequences, found, strict=True):
        with torch.no_grad():
            expected, _ = unroll(core, inputs, core.initial_state(inputs.shape[1]))
        torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-6)
    assert max(worker.batches) > 3, "several pages shared a batch"


def test_a_faulty_step_fails_alone() -> None:
    core, worker = Slow(2, 4), Worker("test")
    state = HiddenState(torch.zeros(1, 4))

    async def ask() -> list[Any]:
        inputs = [torch.zeros(1, 2), torch.full((1, 2), torch.nan), torch.ones(1, 2)]
        return await asyncio.gather(*(worker.step(core, x, state, None) for x in inputs), return_exceptions=True)

    first, second, third = asyncio.run(ask())
    worker.close()
    assert isinstance(second, ValueError)
    assert first[0].shape == third[0].shape == (1, 4)


def test_work_that_nobody_waits_for_any_more_is_left_out() -> None:
    worker, ran = Worker("test"), []

    async def ask() -> None:
        first = asyncio.create_task(worker.call(lambda: __import__("time").sleep(0.2)))
        await asyncio.sleep(0.05)
        left = asyncio.create_task(worker.call(ran.append, 1))
        await asyncio.sleep(0)
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        await first
        await worker.call(ran.append, 2)

    asyncio.run(ask())
    worker.close()
    assert ran == [2]
