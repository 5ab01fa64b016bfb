"""The one way a numba kernel is made: signatures declared, GIL released, compiled code kept.

Declared signatures compile when the module is imported, so the first call has no surprise; the
compiled code is kept in NUMBA_CACHE_DIR, or in __pycache__ beside the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def kernel(*signatures: str) -> Callable[[Function], Function]:
    """Compile a function for each of ``signatures``, such as ``"void(float64[:, ::1])"``."""

    def decorate(function: Function) -> Function:
        def compiled(keep: bool) -> Function:
            # IEEE arithmetic to the last bit: a bin edge must fall where its twin puts it.
            make: Any = njit(
                list(signatures), nogil=True, cache=keep, fastmath=False, error_model="numpy"
            )
            return cast(Function, make(function))

        try:
            return compiled(keep=True)
        except (OSError, RuntimeError):  # no folder can be written, or the disk is full
            return compiled(keep=False)

    return decorate
