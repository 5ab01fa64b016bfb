"""What this machine can do at most: bytes copied and float32 multiply-adds a second.

Measured in the same run as the rows that are held to it, on the same number of threads. The best
of the repeats counts: noise can only lower a limit.
"""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from fastdis._bench import checkout
from fastdis._threads import get_num_threads, parallel_for

_BYTES = 256 * 2**20  # an array far beyond the caches
_MATRIX = 2048
_SECONDS = 0.05  # of multiply-adds on each thread
_REPEATS = 7
IN_REGISTERS = "in registers alone"


@dataclass(frozen=True)
class Limits:
    """Measured limits of the machine, per second."""

    copy: float  # bytes read and written by a copy of large arrays
    fill: float  # bytes written where nothing is read
    multiply_adds: float  # of float32
    # How those were measured: without ``benchmarks/limits`` or a compiler, in a product of large
    # matrices, which may be no more than half as fast.
    by: str = IN_REGISTERS

    def share(self, bytes_moved: float, multiply_adds: float, seconds: float) -> tuple[float, str]:
        """How near ``seconds`` is to the shortest time possible, and which limit sets that.

        NaN and "" where the multiply-adds are not counted.
        """
        if math.isnan(multiply_adds):
            return math.nan, ""
        arithmetic = multiply_adds / self.multiply_adds
        times = {"memory": bytes_moved / self.copy, "arithmetic": arithmetic}
        limit = max(times, key=lambda name: times[name])
        return times[limit] / seconds, limit


def higher(a: Limits, b: Limits) -> Limits:
    """The higher of each: what else ran on the machine can only have lowered one."""
    rates = ("copy", "fill", "multiply_adds")
    return replace(a, **{name: max(getattr(a, name), getattr(b, name)) for name in rates})


def measure_limits() -> Limits:
    """Measure all three; takes about a second."""
    source = np.ones(_BYTES // 4, np.float32)
    target = np.zeros_like(source)  # its pages exist before anything is timed
    grain = source.size // (4 * get_num_threads())
    copy = _best(
        lambda: parallel_for(lambda a, b: np.copyto(target[a:b], source[a:b]), source.size, grain)
    )
    fill = _best(lambda: parallel_for(lambda a, b: target[a:b].fill(1.0), source.size, grain))
    return Limits(2 * _BYTES / copy, _BYTES / fill, *_multiply_adds())


def _multiply_adds() -> tuple[float, str]:
    """How many a second on all threads, and how they were measured."""
    if not checkout.PRESENT:
        return _by_product("only a checkout has benchmarks/limits")
    from benchmarks.limits import peak

    try:
        multiply_adds = peak.compiled()
    except (OSError, subprocess.CalledProcessError) as failure:
        return _by_product(f"peak.c cannot be compiled ({failure})")
    return in_registers(multiply_adds), IN_REGISTERS


def _by_product(why: str) -> tuple[float, str]:
    return _MATRIX**3 / _product(), f"in a matrix product, for {why}"


def in_registers(multiply_adds: Callable[[int], int]) -> float:
    """How many a second on all threads; ``multiply_adds(rounds)`` returns how many it did."""
    few = 1000
    rounds = math.ceil(few * _SECONDS / _best(lambda: multiply_adds(few)))
    done: list[int] = []

    def work(start: int, stop: int) -> None:
        done.append(multiply_adds((stop - start) * rounds))

    def on_all_threads() -> None:
        done.clear()
        parallel_for(work, get_num_threads())

    seconds = _best(on_all_threads)
    return sum(done) / seconds


def _product() -> float:
    """Seconds of a product of square matrices, by NumPy's library or torch's."""
    import torch

    matrix = np.random.default_rng(0).random((_MATRIX, _MATRIX), np.float32)
    out = np.empty_like(matrix)
    torch.set_num_threads(get_num_threads())
    tensor, torch_out = torch.from_numpy(matrix), torch.from_numpy(out)
    return min(
        _best(lambda: np.matmul(matrix, matrix, out=out)),
        _best(lambda: torch.mm(tensor, tensor, out=torch_out)),
    )


def _best(run: Callable[[], object]) -> float:
    seconds = []
    run()
    for _ in range(_REPEATS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
