"""Dispatch: which implementation of each kernel runs here.

A native kernel (C through Cython, or numba) is used where it can be loaded, else its NumPy
twin of the same name and signature in ``reference.py``. ``FASTDIS_BACKEND`` chooses by hand:
``auto`` (the default), ``native`` (an error where it is missing) or ``numpy``.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from fastdis import _validation

# kernel -> the module that holds its native form
NATIVE = {
    "oscillator": "_oscillator",
    "oscillator_band_limited": "_oscillator",
    "pack_frames": "_spectral",
    "unpack_spectrum": "_spectral",
    "mel_from_packed": "_spectral",
    "pack_spectrum": "_spectral",
    "overlap_add": "_spectral",
    "project_phase": "_spectral",
    "mel_least_squares": "_spectral",
    "bin_columns": "histogram",
    "column_range": "histogram",
    "joint_counts": "histogram",
}


@cache
def native_module(name: str) -> ModuleType | None:
    """A native module of this package, or None where it cannot be loaded."""
    try:
        return importlib.import_module(f"fastdis._kernels.{name}")
    except ImportError:
        return None


def requested_backend() -> str:
    """The value of ``FASTDIS_BACKEND``: ``"auto"``, ``"native"`` or ``"numpy"``."""
    value = os.environ.get("FASTDIS_BACKEND", "auto")
    return _validation.choice("FASTDIS_BACKEND", value, ("auto", "native", "numpy"))


def get(name: str) -> Callable[..., Any]:
    """The kernel ``name`` as it runs here.

    Raises
    ------
    RuntimeError
        If ``FASTDIS_BACKEND=native`` and the native module was not built.
    """
    backend = requested_backend()
    module = None if backend == "numpy" else native_module(NATIVE[name])
    if module is None and backend == "native":
        raise RuntimeError(
            f"FASTDIS_BACKEND=native, but fastdis._kernels.{NATIVE[name]} cannot be loaded; "
            "build it with 'pip install .' and a C compiler"
        )
    if module is None:
        from fastdis._kernels import reference

        module = reference
    kernel: Callable[..., Any] = getattr(module, name)
    return kernel
