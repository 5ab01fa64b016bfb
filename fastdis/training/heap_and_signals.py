"""The process while it trains: freed memory stays in glibc's heap, and stop signals wait.

By default glibc returns the temporaries of a step (17 MB each for SynTone's VAE) to the system and
takes new pages for the next step: thousands of page faults per step, up to a third of its time.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT = 2**30
# Restored afterwards: the largest values that glibc's own, which adapt to use, can reach.
_AFTER = {_TRIM_THRESHOLD: 2**26, _MMAP_THRESHOLD: 2**25}


@contextmanager
def keeping_large_blocks() -> Iterator[None]:
    """Keep freed blocks of up to a gigabyte in the heap, and release them at the end.

    Uses ``mallopt`` of glibc; other C libraries are left as they are.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    for option in _AFTER:  # one without the other is slower than neither
        libc.mallopt(option, _KEPT)
    try:
        yield
    finally:
        for option, value in _AFTER.items():
            libc.mallopt(option, value)
        libc.malloc_trim(0)


def _glibc() -> Any:
    """The C library if it is glibc, otherwise None."""
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") and hasattr(libc, "mallopt") else None


@contextmanager
def stop_requests() -> Iterator[list[BaseException]]:
    """Collect Ctrl-C and SIGTERM in a list, so that no step is interrupted.

    A second signal acts at once. Only the main thread receives signals: in another thread the list
    stays empty.
    """
    wanted: list[BaseException] = []
    if threading.current_thread() is not threading.main_thread():
        yield wanted
        return
    numbers = (int(signal.SIGINT), int(signal.SIGTERM))
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in numbers}

    def note(number: int, _frame: Any) -> None:
        wanted.append(
            KeyboardInterrupt("stopped at the end of a step")
            if number == signal.SIGINT
            else SystemExit(128 + number)
        )
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, note)
    try:
        yield wanted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
