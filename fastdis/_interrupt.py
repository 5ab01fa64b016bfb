"""Ctrl-C and SIGTERM that wait for the end of a step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def stop_requests() -> Iterator[list[BaseException]]:
    """Ctrl-C and SIGTERM as a list that fills up, so that a step is never cut in two.

    A second signal acts at once. Signals are the main thread's alone.
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
