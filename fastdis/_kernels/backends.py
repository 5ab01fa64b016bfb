"""What each kernel runs on here, and why."""

from __future__ import annotations

from fastdis import _kernels, _threads

# What an x86-64 level brings for float arithmetic; other machines have the one "baseline".
_INSTRUCTIONS = {
    "baseline": "nothing beyond what every such machine has",
    "x86-64-v3": "AVX2",
    "x86-64-v4": "AVX-512",
}


def backends() -> dict[str, str]:
    """What runs on what: one line for each kernel, the FFT, the SIMD level and the threads.

    Returns
    -------
    dict
        Of each kernel ``"C"``, ``"numba"``, or ``"NumPy"`` with the reason why: its extension
        cannot be loaded, or ``FASTDIS_BACKEND=numpy``. Then ``"simd"``, the instruction set of the
        C kernels, ``"fft"``, the library and its version, and ``"threads"``, how many and what
        says so.

    Raises
    ------
    ValueError
        If ``FASTDIS_BACKEND`` is not ``auto``, ``native`` or ``numpy``, or
        ``FASTDIS_NUM_THREADS`` is no whole number of at least 1.

    Examples
    --------
    >>> backends()["threads"] >= "1"
    True
    """
    found = {kernel: _runs_on(module) for kernel, module in _kernels.NATIVE.items()}
    found["simd"] = _simd()
    found["fft"] = _ffts()
    found["threads"] = _threads.explain_num_threads()
    return found


def in_lines() -> list[str]:
    """The same for people: what the kernels run on and which they are, then the rest."""
    found = backends()
    kernels: dict[str, list[str]] = {}
    for kernel in _kernels.NATIVE:
        kernels.setdefault(found.pop(kernel), []).append(kernel)
    rows = {how: ", ".join(names) for how, names in kernels.items()} | found
    return [f"{name}: {text}" for name, text in rows.items()]


def _runs_on(module: str) -> str:
    requested = _kernels.requested_backend()
    if requested == "numpy":
        return "NumPy (FASTDIS_BACKEND=numpy)"
    if _kernels.native_module(module) is not None:
        return "C" if module.startswith("_") else "numba"
    why = _kernels.why_missing(module)
    if requested == "native":
        return f"nothing (FASTDIS_BACKEND=native, but {why})"
    return f"NumPy ({why})"


def _simd() -> str:
    module = _kernels.native_module("_oscillator")
    if module is None or _runs_on("_oscillator") != "C":
        return "none (no C kernel runs)"
    level: str = module.simd_level()
    return f"{level} ({_INSTRUCTIONS[level]})"


def _ffts() -> str:
    from fastdis._kernels import fft

    own = _runs_on(_kernels.NATIVE["frames_to_spectra"])
    lengths = f"powers of two from {fft.SHORTEST} to {fft.LONGEST:,} points"
    return f"{own} for {lengths}; {fft.fft_library()} for others"
