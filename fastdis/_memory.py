"""Where outputs are made, so that a batch beyond memory is refused before any work on it.

Linux hands out more memory than there is, and later kills the process that uses it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation

_ALWAYS_THERE = 2**28  # bytes; asking takes 0.1 ms, which only a larger array is worth
_CACHE_LINE = 64
_MEMORY, _OWN_GROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def available() -> float:
    """Bytes that this process may still take; infinity where the system does not say."""
    try:
        lines = _MEMORY.read_text(encoding="ascii").splitlines()
        sizes = dict(line.split(":", 1) for line in lines)
        free = 1024 * int(sizes["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):  # not Linux
        return math.inf
    return min((free, *_left_by_groups()))


def _left_by_groups() -> Iterator[int]:
    """What each control group of this process with a limit leaves, as in a container or a job."""
    try:
        lines = _OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            root, files = _GROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            root = _GROUPS / "memory"
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        folder = root / group.lstrip("/")
        for place in (folder, *folder.parents):
            if place.is_relative_to(root):
                yield from _left(place, *files)


def _left(place: Path, limit: str, usage: str, cache: str) -> Iterator[int]:
    try:
        most = int((place / limit).read_text())
        used = int((place / usage).read_text())
        statistics = dict(line.split() for line in (place / "memory.stat").read_text().splitlines())
        # Files that were read lately count as usage, but give way.
        yield max(0, most - used + int(statistics.get(cache, 0)))
    except (OSError, ValueError):  # no such group here, or "max"
        return


def require(name: str, need: int, instead: str) -> None:
    """Raise unless ``name`` can have ``need`` bytes.

    Raises
    ------
    MemoryError
        It names ``name``, what it needs, what there is, and what to do ``instead``.
    """
    if need > _ALWAYS_THERE and need > (there := available()):
        raise MemoryError(
            f"{name} takes {need / 1e9:,.1f} GB of memory, got {there / 1e9:,.1f} GB; {instead}"
        )


def new_array(
    name: str,
    shape: tuple[int, ...],
    dtype: Any = np.float32,
    instead: str = "take fewer clips at a time",
) -> NDArray[Any]:
    """An array to write the result of ``name`` into.

    Raises
    ------
    MemoryError
        As :func:`require`, if there is no room for it.
    """
    need = math.prod(shape) * np.dtype(dtype).itemsize
    require(f"{name}, for a result of shape {shape},", need, instead)
    # From the start of a cache line, so that vectors of a kernel do not lie across two.
    memory = np.empty(need + _CACHE_LINE, np.uint8)
    skip = -memory.ctypes.data % _CACHE_LINE
    result: NDArray[Any] = memory[skip : skip + need].view(dtype).reshape(shape)
    return result


def result_array(
    name: str, out: NDArray[Any] | None, shape: tuple[int, ...], dtype: Any = np.float32
) -> NDArray[Any]:
    """``out``, or where it is None a new array, to write the result of ``name`` into.

    Raises
    ------
    TypeError, ValueError
        If ``out`` is not a writeable C-contiguous array of this shape and dtype.
    MemoryError
        As :func:`require`, if there is no room for a new one.
    """
    if out is None:
        return new_array(name, shape, dtype)
    return _validation.output("out", out, shape, dtype)
