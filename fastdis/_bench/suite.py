"""All rows in one run, with the machine's limits measured in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fastdis._bench import table
from fastdis._bench.first_calls import FirstCall, first_calls
from fastdis._bench.limits import Limits, higher, measure_limits
from fastdis._bench.machine import machine, versions
from fastdis._bench.measure import Outcome, Row, Scale, measure
from fastdis._bench.rows import (
    constant_q,
    features,
    networks,
    pipeline,
    predictors,
    statistics,
    synthesis,
    training,
    transforms,
)
from fastdis._bench.speedup import Speedup, measure_speedups
from fastdis._threads import get_num_threads

ROWS: tuple[Row, ...] = (
    *synthesis.ROWS, *features.ROWS, *transforms.ROWS, *constant_q.ROWS,
    *pipeline.ROWS,  # writes to disk, and so goes before the gigabytes that the next ones write
    *statistics.ROWS, *predictors.ROWS, *training.ROWS, *networks.ROWS,
)  # fmt: skip


@dataclass(frozen=True)
class Report:
    """What one run measured, and where."""

    machine: dict[str, str]
    versions: dict[str, str]
    limits: Limits
    outcomes: tuple[Outcome, ...]
    speedups: tuple[Speedup, ...]
    first_calls: tuple[FirstCall, ...]
    seconds: float

    def markdown(self) -> str:
        """The tables, each under a line that says how to read it."""
        parts = [
            table.rows_table(self.outcomes, self.limits),
            table.held_back(self.outcomes, self.limits),
            table.limits_table(self.limits),
            table.speedups_table(self.speedups),
            table.first_calls_table(self.first_calls),
            table.pairs_table(("machine", ""), self.machine),
            table.pairs_table(("version", ""), self.versions),
        ]
        return "\n\n".join(parts)

    def plain(self) -> dict[str, Any]:
        """All figures, as JSON can hold them."""
        return {
            "machine": self.machine, "versions": self.versions, "limits": vars(self.limits),
            "rows": [table.plain(outcome, self.limits) for outcome in self.outcomes],
            "speedups": [vars(speedup) for speedup in self.speedups],
            "first_calls": [table.without_nan(vars(call)) for call in self.first_calls],
            "seconds": self.seconds,
        }  # fmt: skip


@contextmanager
def one_thread_count() -> Iterator[None]:
    """Peers on as many threads as fastdis: NumPy's and SciPy's linear algebra, and torch."""
    import torch
    from threadpoolctl import threadpool_limits

    threads, before = get_num_threads(), torch.get_num_threads()
    with threadpool_limits(threads):
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def run(scale: Scale, say: Callable[[str], object]) -> Report:
    """Measure the limits, every row, and the first calls of a fresh process."""
    start = time.perf_counter()
    where = machine()
    features.load_first()
    with one_thread_count():
        say("measuring what this machine can do at most")
        limits = measure_limits()
        outcomes = []
        for row in ROWS:
            say(str(row))
            outcomes.append(measure(row, scale))
        say("one thread against all")
        speedups = tuple(measure_speedups(scale))
        limits = higher(limits, measure_limits())
    say("first calls of a fresh process")
    calls = tuple(first_calls())
    seconds = time.perf_counter() - start
    return Report(where, versions(), limits, tuple(outcomes), speedups, calls, seconds)
