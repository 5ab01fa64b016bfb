"""What a table of figures has to say about where they were measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from fastdis import _threads
from fastdis._kernels.backends import backends

_PACKAGES = ("fastdis", "numpy", "scipy", "torch", "numba", "pyfftw", "librosa", "nnAudio",
             "audioflux")  # fmt: skip


def machine() -> dict[str, str]:
    """Processor, cores, caches, threads, what the kernels run on, and how busy it is now."""
    here = backends()
    return {
        "processor": _processor(),
        "cores": str(_threads._available_cores()),
        "L3 cache": _cache(3),
        "memory": _memory(),
        "system": platform.platform(terse=True),
        "threads": here["threads"],
        "SIMD": here["simd"],
        "FFT": here["fft"],
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def versions() -> dict[str, str]:
    """Of Python, this package, and all that it is timed against."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _field(file: str, name: str) -> str:
    """The value of ``name: value`` in a file of the kernel; "unknown" where there is none."""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    found = (line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == name)
    return next(found, "unknown")


def _processor() -> str:
    name = _field("/proc/cpuinfo", "model name")
    family, model = (_field("/proc/cpuinfo", key) for key in ("cpu family", "model"))
    return name if family == "unknown" else f"{name} (family {family}, model {model})"


def _memory() -> str:
    total = _field("/proc/meminfo", "MemTotal").split()[0]
    return f"{int(total) / 2**20:.0f} GiB" if total.isdecimal() else total


def _cache(level: int) -> str:
    for folder in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        if (folder / "level").read_text(encoding="ascii").strip() == str(level):
            return (folder / "size").read_text(encoding="ascii").strip()
    return "unknown"
