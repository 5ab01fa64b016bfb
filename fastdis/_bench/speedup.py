"""Each kernel on one thread and on all of them, in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastdis._bench.measure import REPEATS, Contestant, Scale, alternate, pick, spread
from fastdis._bench.rows.features import clips
from fastdis._bench.rows.statistics import BINS, columns
from fastdis._bench.rows.synthesis import RATE, grid_columns, spread_over, tones
from fastdis._threads import get_num_threads, set_num_threads
from fastdis.features import melspectrogram, stft
from fastdis.metrics import joint_histogram
from fastdis.synthesis import add_noise, additive, oscillator

_SAMPLE = {"smoke": 0.0, "short": 0.02, "full": 0.05}  # seconds a timing lasts at least


@dataclass(frozen=True)
class Speedup:
    """Units a second on one thread and on ``threads``; ``ratio`` is of the median times."""

    work: str
    unit: str
    threads: int
    one: float
    all: float
    ratio: float
    spread: float


def measure_speedups(scale: Scale) -> list[Speedup]:
    """Every kernel on 1 and on all threads; none where there is only one."""
    threads = get_num_threads()
    if threads == 1:
        return []
    try:
        return [
            _speedup(work, unit, run, units, threads, scale)
            for work, unit, units, run in _works(scale)
        ]
    finally:
        set_num_threads(threads)


def _speedup(
    work: str, unit: str, run: Callable[[], object], units: int, threads: int, scale: Scale
) -> Speedup:
    def on(number: int) -> Contestant:
        def limited() -> None:
            if get_num_threads() != number:  # in an untimed call: one precedes each timed one
                set_num_threads(number)
            run()

        return Contestant(limited, units)

    seconds = alternate((on(1), on(threads)), REPEATS[scale], _SAMPLE[scale])
    one, all_ = np.median(seconds, axis=0).tolist()
    paired = seconds[:, 0] / seconds[:, 1]
    return Speedup(work, unit, threads, 1 / one, 1 / all_, one / all_, spread(paired))


def _works(scale: Scale) -> list[tuple[str, str, int, Callable[[], object]]]:
    """Work, unit, how many of them, and the call."""
    count, rows = pick(scale, 8, 512, 1024), pick(scale, 1000, 500_000, 1_000_000)
    audio, out = clips(count), np.zeros((count, RATE), np.float32)
    waves, partials = grid_columns(spread_over(count)), tones(count)
    snr, mels, spectra = np.full(count, 10.0), melspectrogram(audio, sr=RATE), stft(audio)
    factors, codes = columns(rows)
    return [
        ("oscillator, naive", "clips", count, lambda: oscillator(*waves, out=out)),
        (
            "oscillator, band-limited", "clips", count,
            lambda: oscillator(*waves, band_limited=True, out=out),
        ),
        ("additive, 40 partials", "clips", count, lambda: additive(partials, out=out)),
        ("add_noise", "clips", count, lambda: add_noise(audio, snr, seed=0, out=out)),
        ("melspectrogram", "clips", count, lambda: melspectrogram(audio, sr=RATE, out=mels)),
        ("stft", "clips", count, lambda: stft(audio, out=spectra)),
        (
            "joint_histogram", "rows", rows,
            lambda: joint_histogram(factors, codes, bins=BINS, discrete=False),
        ),
    ]  # fmt: skip
