"""How a row of `fastdis._bench` becomes two benchmarks of one group: fastdis and its peer.

The result is checked before anything is timed. Without ``--benchmark-enable`` the rows run once on
a few clips, as a test that they work. ``fastdis bench`` times the two in turn, which these, one
after the other, do not: ratios are to be taken from there.
"""

from functools import lru_cache

import pytest

from fastdis._bench import features, suite
from fastdis._bench.measure import REPEATS, WrongPeerError, fastest

features.load_first()


@lru_cache(maxsize=1)  # both contestants of a row follow each other
def _checked(row, scale):
    trial = row.prepare(scale)
    return trial, trial.error()


@pytest.fixture(autouse=True)
def threads():
    """Peers on as many threads as fastdis."""
    with suite.one_thread_count():
        yield


@pytest.fixture
def contest(benchmark):
    """Times one side of a row, ``"fastdis"`` or ``"peer"``."""

    def run(row, side):
        if row.missing:
            pytest.skip(row.missing)
        scale = "smoke" if benchmark.disabled else "short"
        try:
            trial, error = _checked(row, scale)
        except WrongPeerError as wrong:
            pytest.skip(str(wrong))
        assert error <= row.error_at_most
        contestant = fastest(trial.ours if side == "fastdis" else trial.peer)
        benchmark.group = str(row)
        benchmark.pedantic(
            contestant.run, teardown=contestant.tidy, rounds=REPEATS[scale], warmup_rounds=1
        )
        benchmark.extra_info.update(
            units=contestant.units, unit=row.unit, setting=contestant.setting, error=error
        )
        if benchmark.stats:  # there are none where benchmarks are disabled
            rate = contestant.units / benchmark.stats.stats.median
            benchmark.extra_info["units_per_second"] = round(rate)

    return run
