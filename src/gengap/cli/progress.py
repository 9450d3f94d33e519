"""What a command shows while it works: a bar, or the time that has passed.

Both are drawn on stderr, only if it is a terminal, and are gone when the work is done.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator
from typing import TypeVar

T = TypeVar("T")

REDRAW = 0.5  # seconds


def each(items: Collection[T], what: str) -> Iterator[T]:
    """Yield items and draw a bar of how many are done, and of the time that the rest takes.

    Args:
        items: what is worked on, one after another.
        what: the word for one item, such as ``family``.

    Yields:
        The items in their order.
    """
    from tqdm import tqdm

    # `disable=None` draws on a terminal alone.
    with tqdm(total=len(items), unit=what, disable=None, leave=False) as bar:
        for item in items:
            bar.set_description(str(item))
            yield item
            bar.update()


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Draw what is done and since when, for work whose length is not known.

    Args:
        what: what is done, such as ``predicting``.

    Yields:
        Nothing; the work is done in the meantime.
    """
    from tqdm import tqdm

    over = threading.Event()
    with tqdm(bar_format="{desc} {elapsed}", desc=what, disable=None, leave=False) as bar:

        def redraw() -> None:
            while not over.wait(REDRAW):
                bar.refresh()

        redrawing = threading.Thread(target=redraw, daemon=True)
        redrawing.start()
        try:
            yield
        finally:
            over.set()
            redrawing.join()
