"""How a row is measured: the result is checked, then both sides are timed in turn, in one run.

Alternation makes a change of the machine's speed strike both sides; the medians and the spread of
the paired ratios are reported. Each side is timed over its own number of clips; throughput is
compared.
"""

from __future__ import annotations

import gc
import importlib.util
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastdis._bench import checkout
from fastdis._bench.limits import Limits

Scale = Literal["smoke", "short", "full"]

REPEATS: dict[Scale, int] = {"smoke": 1, "short": 7, "full": 9}
LOW_SHARE = 0.4  # a row below this share of its limit says what holds it back

_SAMPLE = {"smoke": 0.0, "short": 0.02, "full": 0.04}  # seconds a timing lasts at least
_LONG_CALL = 0.3  # seconds; such a call needs no untimed one before it to wake threads up
_TRIES = 2  # timed calls by which the peer's best setting is found


class WrongPeerError(RuntimeError):
    """The peer computes something else here; its speed says nothing."""


def nothing() -> None:
    """What most contestants have to tidy up."""


@dataclass(frozen=True)
class Contestant:
    """Something to time: ``run()`` handles ``units``; ``tidy()`` follows it, untimed."""

    run: Callable[[], object]
    units: int
    setting: str = ""
    tidy: Callable[[], object] = nothing


@dataclass(frozen=True)
class Trial:
    """fastdis and its peer on their data, each at several settings; the fastest one is timed."""

    ours: Sequence[Contestant]
    peer: Sequence[Contestant]
    error: Callable[[], float]  # of fastdis's result; checks the peer's, too
    bytes_moved: float  # by fastdis per unit: every argument read and every result written once
    # By fastdis per unit, in float32: one of float64 counts as two, and an addition or product
    # alone, of integers too, as one. A real transform of n points takes 2.5 n log2 n operations and
    # counts as half as many. NaN where they depend on the data and are not counted.
    multiply_adds: float
    keep: object = None  # what has to live as long as the trial, such as a temporary folder


@dataclass(frozen=True)
class Row:
    """One line of the table: what is done, against whom, and what is to be reached.

    ``needs`` is the peer's package; an ``own_peer``, or its reference, is in ``benchmarks/peers``.
    ``held_back`` says what keeps fastdis under 40% of its limit.
    """

    work: str
    peer: str
    prepare: Callable[[Scale], Trial]
    at_least: float | None
    error_at_most: float
    error_of: str = "of peak"
    unit: str = "clips"
    needs: str = "numpy"
    own_peer: bool = False
    held_back: str = ""

    def __str__(self) -> str:
        return f"{self.work}, against {self.peer}"

    @property
    def missing(self) -> str:
        """Why the row cannot be measured here, or ``""``."""
        if not importlib.util.find_spec(self.needs):
            return f"skipped: {self.needs} is not installed (pip install 'fastdis[bench]')"
        if self.own_peer and not checkout.PRESENT:
            return "skipped: its peer is in benchmarks/peers of a checkout of fastdis"
        return ""


@dataclass(frozen=True)
class Outcome:
    """What was measured for a row; ``note`` says why there are no figures where there are none."""

    row: Row
    note: str = ""
    error: float = math.nan
    ours: float = math.nan  # units a second
    peer: float = math.nan
    setting: str = ""  # the peer's
    ratio: float = math.nan
    spread: float = math.nan  # interquartile range of the paired ratios over their median
    bytes_moved: float = math.nan  # by fastdis, a unit
    multiply_adds: float = math.nan

    @property
    def reached(self) -> bool | None:
        """Whether the row's figure was reached; None if it has none or was not timed."""
        if self.row.at_least is None or math.isnan(self.ratio):
            return None
        return self.ratio >= self.row.at_least

    def share(self, limits: Limits) -> tuple[float, str]:
        """How near fastdis is to the machine's limit, and to which one."""
        return limits.share(self.bytes_moved, self.multiply_adds, 1.0 / self.ours)


def of_peak(found: NDArray[Any], exact: NDArray[Any]) -> float:
    """The largest error of each clip over the clip's peak; the worst clip counts."""
    axes = tuple(range(1, exact.ndim))
    peak: NDArray[np.float64] = np.abs(exact).max(axis=axes)
    return float((np.abs(found - exact).max(axis=axes) / peak).max())


def check_peer(found: NDArray[Any], expected: NDArray[Any], at_most: float = 1e-4) -> None:
    """Raise if a peer computes something else, so that no ratio compares different work."""
    error = of_peak(found, expected)
    if not error < at_most:
        raise WrongPeerError(f"not timed: the peer's result is off by {error:.1e} of the peak")


def pick(scale: Scale, smoke: int, short: int, full: int) -> int:
    """The size that belongs to ``scale``."""
    return {"smoke": smoke, "short": short, "full": full}[scale]


def measure(row: Row, scale: Scale) -> Outcome:
    """Check ``row`` and time it; one whose result is wrong, or which fails, is not timed."""
    if row.missing:
        return Outcome(row, row.missing)
    try:
        trial = row.prepare(scale)
        error = trial.error()
        if not error <= row.error_at_most:
            allowed = f"at most {row.error_at_most:.0e} is allowed"
            return Outcome(row, f"not timed: the error is {error:.1e}, {allowed}", error)
        ours, peer = fastest(trial.ours), fastest(trial.peer)
        seconds = alternate((ours, peer), REPEATS[scale], _SAMPLE[scale])
    except WrongPeerError as wrong:
        return Outcome(row, str(wrong))
    except Exception as failure:  # a peer's, of any kind: the other rows are measured all the same
        return Outcome(row, " ".join(f"not timed: {type(failure).__name__}: {failure}".split()))
    ours_s, peer_s = np.median(seconds, axis=0).tolist()
    return Outcome(
        row, error=error, ours=1.0 / ours_s, peer=1.0 / peer_s, setting=peer.setting,
        ratio=peer_s / ours_s, spread=spread(seconds[:, 1] / seconds[:, 0]),
        bytes_moved=trial.bytes_moved, multiply_adds=trial.multiply_adds,
    )  # fmt: skip


def fastest(contestants: Sequence[Contestant]) -> Contestant:
    """The one that takes the least time a unit."""
    if len(contestants) == 1:
        return contestants[0]
    seconds = []
    for contestant in contestants:
        _timed(contestant, 1)
        seconds.append(min(_timed(contestant, 1) for _ in range(_TRIES)))
    return contestants[int(np.argmin(seconds))]


def alternate(
    contestants: Sequence[Contestant], repeats: int, at_least: float = 0.0
) -> NDArray[np.float64]:
    """Seconds a unit ``(repeats, contestants)``, each contestant's turn after the other's.

    A timing takes as many calls as fill ``at_least`` seconds.
    """
    first = [_timed(contestant, 1) for contestant in contestants]  # also warms up
    again = [
        t if t * c.units > _LONG_CALL else _timed(c, 1)
        for c, t in zip(contestants, first, strict=True)
    ]
    calls = [
        max(1, math.ceil(at_least / (t * c.units))) for c, t in zip(contestants, again, strict=True)
    ]
    gc.collect()
    seconds = np.empty((repeats, len(contestants)))
    for i in range(repeats):
        for j, contestant in enumerate(contestants):
            settle()
            if again[j] * contestant.units < _LONG_CALL:
                _timed(contestant, 1)  # wakes its threads up and fills the caches again
            seconds[i, j] = _timed(contestant, calls[j])
    return seconds


def _timed(contestant: Contestant, calls: int) -> float:
    """Seconds a unit over ``calls`` calls."""
    total = 0.0
    for _ in range(calls):
        start = time.perf_counter()
        contestant.run()
        total += time.perf_counter() - start
        contestant.tidy()
    return total / calls / contestant.units


def settle(at_most: float = 0.5) -> None:
    """Wait until no thread of this process is busy: OpenMP's spin for a while after their work."""
    deadline = time.perf_counter() + at_most
    while time.perf_counter() < deadline:
        before = time.process_time()
        time.sleep(0.005)
        if time.process_time() - before < 0.001:
            return


def spread(values: NDArray[np.float64]) -> float:
    """Interquartile range over the median."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return float((high - low) / middle)
