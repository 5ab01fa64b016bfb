"""Prefetching: another thread makes the next items while the caller uses the current one."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar, cast

Item = TypeVar("Item")
_END = object()


def ahead(items: Iterable[Item], count: int) -> Generator[Item, None, None]:
    """The same items in the same order, made by another thread, up to ``count`` in advance.

    An exception in that thread is raised when its item is due. Leaving the loop early stops the
    thread after the item that it is making.
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
