"""scikit-learn in one thread, without its warnings of fits that stop at their step limit.

The matrices here are small: BLAS loses by splitting them, a hundredfold where the cores are busy.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

_lock = threading.Lock()
_running = 0
_of_process = ExitStack()  # what holds for all threads, while any of them fits


@contextmanager
def fitting() -> Iterator[None]:
    """While a predictor is fitted; also a decorator.

    The first thread to come sets what the whole process shares, and the last to go restores it.
    OpenMP is each thread's own. It gets no team, which a forked child would wait for in vain.
    """
    global _running
    import sklearn.linear_model  # noqa: F401  the limits are of libraries that are loaded
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import ThreadpoolController

    controller = ThreadpoolController()
    with _lock:
        _running += 1
        if _running == 1:
            _of_process.enter_context(_blas_in_one_thread(controller))
            _of_process.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
    try:
        with controller.select(user_api="openmp").limit(limits=1):
            yield
    finally:
        with _lock:
            _running -= 1
            if _running == 0:
                _of_process.close()


@contextmanager
def _blas_in_one_thread(controller: Any) -> Iterator[None]:
    """May be left by another thread than it was entered by."""
    libraries = controller.select(user_api="blas").lib_controllers
    before = [library.num_threads for library in libraries]
    for library in libraries:
        _set_threads(library, 1)
    try:
        yield
    finally:
        for library, number in zip(libraries, before, strict=True):
            _set_threads(library, number)


def _set_threads(library: Any, number: int) -> None:
    """threadpoolctl lets one thread set OpenBLAS and ignores all others while it lives."""
    release = getattr(library, "clear_controlling_thread", lambda force: None)
    release(force=True)
    library.set_num_threads(number)
    release(force=True)


def _forget() -> None:
    """In a forked child, the threads that fit and the one that held the lock do not exist."""
    global _lock, _running
    _lock, _running = threading.Lock(), 0
    _of_process.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
