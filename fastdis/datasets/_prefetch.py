"""Work a few items ahead: the next ones are made while the caller is busy with this one."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, cast

Item = TypeVar("Item")
_END = object()


def ahead(items: Iterable[Item], count: int) -> Generator[Item, None, None]:
    """The same items in the same order, made by another thread, up to ``count`` before their turn.

    What making an item raises is raised at its turn. Leaving the loop early stops the other
    thread after the item it is at.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="fastdis-ahead") as thread:

        def ask() -> Future[object]:
            return thread.submit(next, source, _END)

        pending = deque(ask() for _ in range(count))
        try:
            while (item := pending.popleft().result()) is not _END:
                pending.append(ask())
                yield cast(Item, item)
        finally:
            thread.shutdown(wait=True, cancel_futures=True)
