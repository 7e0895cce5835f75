"""A network's thread. Steps that several pages wait for at once are taken as one batch; a page never notices."""

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, TypeAlias, TypeVar

import torch

from saccade.errors import InputError
from saccade.recurrent.core import AnyCore
from saccade.recurrent.tree import Tree, count, map_tensors, named_tensors, take
from saccade.recurrent.unroll import unroll

Result = TypeVar("Result")

MOST_WAITING = 2_000
"""Most pieces of work that wait for a network; more are refused."""

MOST_EXAMPLES = 256
"""Most examples of one batch."""


_Step: TypeAlias = tuple[AnyCore, Tree, Tree, Tree]
"""A core, and its inputs, state and context."""

_Key: TypeAlias = tuple[object, ...]


class _Work(NamedTuple):
    """A piece of work and where its result goes."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    key: _Key | None
    """Steps of equal keys may be one batch; None: not a step."""
    run: Callable[[], object]
    step: _Step | None = None

    def give(self, result: object = None, error: BaseException | None = None) -> None:
        """Hand over the result, unless nobody waits for it any more."""

        def give() -> None:
            if self.future.done():
                return
            if error is None:
                self.future.set_result(result)
            else:
                self.future.set_exception(error)

        try:
            self.loop.call_soon_threadsafe(give)
        except RuntimeError:  # the server has closed its loop
            return


class Worker:
    """The thread; see `saccade.pipeline.panel.Steps` for what a panel sees of it."""

    def __init__(self, name: str) -> None:
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self.batches: list[int] = []
        """Examples in each of the last batches, for tests."""
        self._thread = threading.Thread(target=self._run, name=f"network {name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread after the work that waits."""
        self._queue.put(None)

    async def step(self, core: AnyCore, inputs: Tree, state: Tree, context: Tree) -> tuple[Tree, Tree]:
        """Take one step of an unroll: see `Steps.step`."""
        leaves = {**named_tensors(inputs, "i"), **named_tensors(state, "s"), **named_tensors(context, "c")}
        key = (id(core), *((name, leaf.shape[1:], leaf.dtype) for name, leaf in leaves.items()))
        step = core, inputs, state, context
        return await self._wait(key, lambda: _one(*step), step)

    async def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run other work in the thread."""
        return await self._wait(None, lambda: function(*arguments))

    def initial(self, core: AnyCore, examples: int) -> Awaitable[Tree]:
        """Return the state before the first step."""
        return self.call(_initial, core, examples)

    async def _wait(self, key: _Key | None, run: Callable[[], object], step: _Step | None = None) -> Any:
        if self._queue.qsize() >= MOST_WAITING:
            raise InputError("a free network", "too many pages that ask at once", "try again in a moment")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._queue.put(_Work(loop, future, key, run, step))
        return await future

    def _run(self) -> None:
        torch.set_num_threads(1)
        while (work := self._queue.get()) is not None:
            waiting = [work]
            while len(waiting) < MOST_WAITING:
                try:
                    further = self._queue.get_nowait()
                except queue.Empty:
                    break
                if further is None:
                    return
                waiting.append(further)
            self._take([one for one in waiting if not one.future.cancelled()])

    def _take(self, waiting: list[_Work]) -> None:
        """Do all that waits: steps together, the rest one after another."""
        together: dict[_Key, list[_Work]] = {}
        for work in waiting:
            if work.key is not None:
                together.setdefault(work.key, []).append(work)
        for works in together.values():
            for some in _portions(works):
                self._batch(some)
        for work in waiting:
            if work.key is None and not work.future.cancelled():
                _alone(work)

    def _batch(self, works: list[_Work]) -> None:
        sizes = [count(work.step[1]) for work in works if work.step is not None]
        self.batches = [*self.batches[-99:], sum(sizes)]
        if len(works) == 1:
            _alone(works[0])
            return
        try:
            steps = [work.step for work in works if work.step is not None]
            trees: list[list[Tree]] = [[step[k] for step in steps] for k in (1, 2, 3)]  # type: ignore[misc]
            parts = [map_tensors(_joined, *tree) for tree in trees]
            output, state = _one(steps[0][0], *parts)
        except Exception:  # one of them may be at fault: each alone, so that only its own page hears of it
            for work in works:
                _alone(work)
            return
        start = 0
        for work, size in zip(works, sizes, strict=True):
            own = slice(start, start + size)
            work.give((take(output, own), take(state, own)))
            start += size


def _joined(*leaves: torch.Tensor) -> torch.Tensor:
    return torch.cat(leaves)


def _portions(works: list[_Work]) -> Iterable[list[_Work]]:
    """Divide steps into batches of at most `MOST_EXAMPLES`."""
    portion: list[_Work] = []
    size = 0
    for work in works:
        assert work.step is not None
        examples = count(work.step[1])
        if portion and size + examples > MOST_EXAMPLES:
            yield portion
            portion, size = [], 0
        portion.append(work)
        size += examples
    yield portion


def _alone(work: _Work) -> None:
    try:
        work.give(work.run())
    except Exception as error:
        work.give(error=error)


def _one(core: AnyCore, inputs: Tree, state: Tree, context: Tree) -> tuple[Tree, Tree]:
    """Take one step, as an unroll of one step."""
    with torch.no_grad():
        outputs, state = unroll(core, map_tensors(lambda leaf: leaf[None], inputs), state, context)
        return take(outputs, 0), state


def _initial(core: AnyCore, examples: int) -> Tree:
    with torch.no_grad():
        return map_tensors(lambda leaf: leaf.contiguous(), core.initial_state(examples))
