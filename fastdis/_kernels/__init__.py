"""Dispatch: which implementation of each kernel runs here.

A native kernel (C through Cython, or numba) is used where it can be loaded, else its NumPy
twin of the same name and signature in ``reference/``. ``FASTDIS_BACKEND`` chooses by hand:
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
    "additive": "_additive",
    "oscillator": "_oscillator",
    "oscillator_band_limited": "_oscillator",
    "add_noise": "_noise",
    "normals": "_noise",
    "frames_to_spectra": "_frames",
    "frames_to_mel": "_frames",
    "pack_frames": "_spectral",
    "unpack_spectrum": "_spectral",
    "mel_from_packed": "_spectral",
    "pack_spectrum": "_spectral",
    "overlap_add": "_spectral",
    "project_phase": "_spectral",
    "mel_least_squares": "_spectral",
    "partials_mel": "_partials_mel",
    "fill_period": "_constant_q",
    "fold_bands": "_constant_q",
    "hilbert_order": "_curve",
    "bin_columns": "histogram",
    "column_range": "histogram",
    "distinct_values": "histogram",
    "joint_levels": "histogram",
    "joint_counts": "histogram",
    "resample": "resampling",
    "weighted_counts": "resampling",
    "entropy_sums": "resampling",
    "interval_accuracy": "intervals",
    "scaled_products": "intervals",
}


@cache
def _load(name: str) -> tuple[ModuleType | None, str]:
    """A native module of this package, or None and why it cannot be loaded."""
    try:
        return importlib.import_module(f"fastdis._kernels.{name}"), ""
    except ImportError as error:
        return None, f"fastdis._kernels.{name} cannot be loaded: {error}"


def native_module(name: str) -> ModuleType | None:
    """A native module of this package, or None where it cannot be loaded."""
    return _load(name)[0]


def why_missing(name: str) -> str:
    """Why a native module cannot be loaded; empty where it can."""
    return _load(name)[1]


def requested_backend() -> str:
    """The value of ``FASTDIS_BACKEND``: ``"auto"``, ``"native"`` or ``"numpy"``."""
    return _checked_backend(os.environ.get("FASTDIS_BACKEND", "auto"))


@cache
def _checked_backend(value: str) -> str:
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
            f"FASTDIS_BACKEND=native, but {why_missing(NATIVE[name])}; "
            "build it with 'pip install .' and a C compiler"
        )
    if module is None:
        from fastdis._kernels import reference

        module = reference
    kernel: Callable[..., Any] = getattr(module, name)
    return kernel
