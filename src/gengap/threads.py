"""Work in blocks over several threads, with results that do not depend on their number.

Each block is computed by one thread, in which the libraries of linear algebra use no threads of
their own. So the same block is summed in the same order, whatever the number of threads.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TypeVar

from threadpoolctl import threadpool_limits

from gengap.arguments import whole_number

Item = TypeVar("Item")
Result = TypeVar("Result")

_THREADS: ContextVar[int] = ContextVar("threads", default=1)


@contextlib.contextmanager
def using_threads(threads: int) -> Iterator[None]:
    """Let :func:`over_blocks` use several threads, and libraries one, inside a ``with`` block.

    Tangent kernels are computed, multiplied and decomposed in this way. Results have the same
    bytes for any number of threads.

    Args:
        threads: at least 1. A GPU computes one block at a time.

    Yields:
        Nothing.

    Raises:
        GengapError: ``threads`` is no whole number of at least 1.
    """
    token = _THREADS.set(whole_number(threads, "threads", 1))
    torch = sys.modules.get("torch")
    before = torch and torch.get_num_threads()
    try:
        with threadpool_limits(1):
            _one_thread_of_torch()
            yield
    finally:
        _THREADS.reset(token)
        if torch:
            torch.set_num_threads(before)


def threads_in_use() -> int:
    """Return the number of threads that :func:`using_threads` allows here; 1 outside it."""
    return _THREADS.get()


def over_blocks(
    work: Callable[[Item], Result], blocks: Iterable[Item], threads: int | None = None
) -> list[Result]:
    """Do the same work on each block, over the threads that may be used.

    Args:
        work: what is done; it must not depend on the other blocks.
        blocks: what it is done on.
        threads: at most so many; None for all that may be used.

    Returns:
        The results, in the order of the blocks.
    """
    most = threads_in_use() if threads is None else min(threads, threads_in_use())
    if most == 1:
        return [work(block) for block in blocks]
    with ThreadPoolExecutor(most, initializer=_one_thread_of_torch) as pool:
        return list(pool.map(work, blocks))


def slices(count: int, size: int) -> list[slice]:
    """Return the slices that divide ``count`` places into blocks of ``size`` and a last rest."""
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _one_thread_of_torch() -> None:
    """Let torch use one thread in the calling thread, where it is loaded."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
