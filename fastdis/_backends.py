"""What each kernel runs on here, and why."""

from __future__ import annotations

from fastdis import _kernels, _threads


def backends() -> dict[str, str]:
    """What runs on what: one line for each kernel, the FFT, the SIMD level and the threads.

    Raises
    ------
    ValueError
        If ``FASTDIS_BACKEND`` is not ``auto``, ``native`` or ``numpy``.

    Examples
    --------
    >>> backends()["threads"] >= "1"
    True
    """
    from fastdis._kernels import fft

    requested = _kernels.requested_backend()
    told = {}
    for kernel, module in _kernels.NATIVE.items():
        if requested == "numpy":
            told[kernel] = "NumPy (FASTDIS_BACKEND=numpy)"
        elif _kernels.native_module(module) is None:
            told[kernel] = f"NumPy (fastdis._kernels.{module} cannot be loaded)"
        else:
            told[kernel] = "numba" if module == "histogram" else "C"
    oscillator = _kernels.native_module("_oscillator")
    told["simd"] = oscillator.simd_level() if oscillator is not None else "none (no C extension)"
    told["fft"] = fft.fft_library()
    told["threads"] = str(_threads.get_num_threads())
    return told
