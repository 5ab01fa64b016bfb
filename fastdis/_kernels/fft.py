"""Batched complex FFTs: FFTW through pyfftw, or scipy where pyfftw is missing.

A plan and its buffers belong to one thread. Plans are estimated, not measured: planning takes
0.1 ms, and the same clip gives the same bits in every thread and every run.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import OrderedDict
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PLANS_PER_THREAD = 16
_BLOCK_SAMPLES = 32768  # complex samples of a block: both sides of it stay in a 1 MB L2 cache
_BLOCK_ROWS = 64

_planner = threading.RLock()  # FFTW plans and frees plans in shared tables
# Not a threading.local: that would free the plans of a thread that ends without the lock.
_plans: dict[threading.Thread, OrderedDict[tuple[int, int], Transform]] = {}


@cache
def _pyfftw() -> ModuleType | None:
    try:
        import pyfftw
    except ImportError:
        return None
    module: ModuleType = pyfftw
    return module


def fft_library() -> str:
    """The library that computes FFTs here, with its version."""
    pyfftw = _pyfftw()
    if pyfftw is not None:
        return f"pyfftw {pyfftw.__version__} (FFTW {pyfftw.fftw_version})"
    import scipy

    return f"scipy {scipy.__version__} (pocketfft)"


def block_rows(n: int) -> int:
    """How many transforms of ``n`` points to run at once."""
    return max(1, min(_BLOCK_ROWS, _BLOCK_SAMPLES // n))


def _rows(rows: int, n: int) -> NDArray[np.complex64]:
    """A ``(rows, n)`` buffer whose rows start 64-byte aligned, a cache line apart modulo 4 kB.

    Rows a multiple of 4 kB apart would all fall into one set of the L1 cache.
    """
    stride = (n + 7) // 8 * 8 + 8
    memory = np.zeros(rows * stride + 8, np.complex64)
    skip = -memory.ctypes.data % 64 // memory.itemsize
    return memory[skip : skip + rows * stride].reshape(rows, stride)[:, :n]


class Transform:
    """Unnormalised complex DFTs between the rows of ``time`` and ``frequency``, both ``(rows, n)``.

    ``frequency[r, k] = sum_i time[r, i] exp(-2j pi i k / n)``, and back with ``+2j``.
    """

    def __init__(self, rows: int, n: int) -> None:
        self.time = _rows(rows, n)
        self.frequency = _rows(rows, n)
        pyfftw = _pyfftw()
        self.forward: Any = self._scipy_forward
        self.backward: Any = self._scipy_backward
        if pyfftw is not None:
            options = {"axes": (1,), "flags": ("FFTW_ESTIMATE",), "threads": 1}
            back = {"direction": "FFTW_BACKWARD"}
            self.forward = pyfftw.FFTW(self.time, self.frequency, **options).execute
            self.backward = pyfftw.FFTW(self.frequency, self.time, **options, **back).execute

    def _scipy_forward(self) -> None:
        import scipy.fft

        self.frequency[...] = scipy.fft.fft(self.time, axis=1, workers=1)

    def _scipy_backward(self) -> None:
        import scipy.fft

        self.time[...] = scipy.fft.ifft(self.frequency, axis=1, norm="forward", workers=1)


def transform(rows: int, n: int) -> Transform:
    """This thread's transform of that size; its buffers are overwritten by the next user."""
    plans = _plans.get(threading.current_thread())
    if plans is None:
        plans = _new_plans()
    key = (rows, n)
    if key in plans:
        plans.move_to_end(key)
        return plans[key]
    with _planner:
        plans[key] = Transform(rows, n)
        if len(plans) > _PLANS_PER_THREAD:
            plans.popitem(last=False)
    return plans[key]


def _new_plans() -> OrderedDict[tuple[int, int], Transform]:
    """Room for this thread's plans; frees those of threads that have ended."""
    with _planner:
        for thread in list(_plans):
            if not thread.is_alive():
                del _plans[thread]
        return _plans.setdefault(threading.current_thread(), OrderedDict())


def _new_planner_lock() -> None:
    global _planner
    _planner = threading.RLock()


if hasattr(os, "register_at_fork"):
    # Holding the lock over a fork keeps pyfftw's own planner lock free in the child.
    os.register_at_fork(
        before=lambda: _planner.acquire(),
        after_in_parent=lambda: _planner.release(),
        after_in_child=_new_planner_lock,
    )

# From the exit on, only the exiting thread may plan: a daemon thread would be stopped on the way,
# still holding pyfftw's lock, without which no plan can be freed.
atexit.register(lambda: _planner.acquire())


SHORTEST, LONGEST = 128, 8192  # samples of a frame that the one kernel takes
