"""Oscillators against NumPy and SciPy: one-second clips at 16 kHz, one batch a round.

Each contestant is first held to a float64 oracle; its error and clips a second are in extra_info.
"""

from functools import partial

import numpy as np
import pytest
from scipy import signal

from fastdis import get_num_threads
from fastdis.synthesis import SHAPES, oscillator

SAMPLE_RATE = 16000
CLIPS = 2000
T = np.arange(SAMPLE_RATE) / SAMPLE_RATE
WAVEFORMS = (np.sin, lambda x: signal.sawtooth(x, 0.5), signal.sawtooth, signal.square)
OUT = np.zeros((CLIPS, SAMPLE_RATE), np.float32)  # written again and again, as in a training loop


def scipy_loop(shape, frequency, amplitude):
    """A clip at a time in float64, as the published generator."""
    columns = zip(shape, frequency, amplitude, strict=True)
    return np.stack([a * WAVEFORMS[s](2 * np.pi * f * T) for s, f, a in columns])


def harmonic_sum(shape, frequency, amplitude):
    """A clip at a time in float64: its harmonics as one broadcast sine, summed by a product."""
    clips = np.zeros((len(shape), len(T)))
    for clip, s, f, a in zip(clips, shape, frequency, amplitude, strict=True):
        below_nyquist = int(np.ceil(SAMPLE_RATE / 2 / f * (1 - 1e-12))) - 1
        h = np.arange(1, below_nyquist + 1, 1 if SHAPES[s] == "sawtooth" else 2)
        if SHAPES[s] == "sine":
            h = h[:1]
        x = h[:, None] * (2 * np.pi * f * T)
        if SHAPES[s] == "triangle":
            clip[:] = -8 * a / (np.pi * h) ** 2 @ np.cos(x)
        else:
            scale = {"sine": 1.0, "sawtooth": -2 / np.pi, "square": 4 / np.pi}[SHAPES[s]]
            clip[:] = scale * a / h @ np.sin(x)
    return clips


def fastdis(*columns, **options):
    return oscillator(*columns, **options)


def fastdis_into_out(*columns, **options):
    return oscillator(*columns, out=OUT[: len(columns[0])], **options)


def compare(benchmark, contestant, oracle, clips, frequency_range):
    """Hold ``contestant`` to ``oracle`` on 80 clips, then time it on ``clips``."""

    def columns(n):
        return np.arange(n) % len(SHAPES), np.linspace(*frequency_range, n), np.linspace(0.1, 1, n)

    error = np.abs(contestant(*columns(80)) - oracle(*columns(80))).max()
    assert error < 5e-6
    benchmark.pedantic(contestant, columns(clips), rounds=7, warmup_rounds=1)
    benchmark.extra_info.update(clips=clips, error=float(error), threads=get_num_threads())
    if benchmark.stats:  # there are none where benchmarks are disabled
        benchmark.extra_info["clips_per_second"] = round(clips / benchmark.stats.stats.median)


@pytest.mark.benchmark(group="naive, 440 to 8,000 Hz")
@pytest.mark.parametrize(
    ("contestant", "clips"),
    [(scipy_loop, CLIPS // 5), (fastdis, CLIPS), (fastdis_into_out, CLIPS)],
)
def test_naive(benchmark, contestant, clips):
    compare(benchmark, contestant, scipy_loop, clips, (440.0, 8000.0))


@pytest.mark.benchmark(group="band-limited, 440 to 8,000 Hz")
@pytest.mark.parametrize(
    ("contestant", "clips"),
    [(harmonic_sum, CLIPS // 5), (fastdis, CLIPS), (fastdis_into_out, CLIPS)],
)
def test_band_limited(benchmark, contestant, clips):
    if contestant is not harmonic_sum:
        contestant = partial(contestant, band_limited=True)
    compare(benchmark, contestant, harmonic_sum, clips, (440.0, 8000.0))


@pytest.mark.benchmark(group="band-limited, 55 to 110 Hz")
@pytest.mark.parametrize(
    ("contestant", "clips"),
    [(harmonic_sum, CLIPS // 50), (fastdis, CLIPS), (fastdis_into_out, CLIPS)],
)
def test_band_limited_low(benchmark, contestant, clips):
    if contestant is not harmonic_sum:
        contestant = partial(contestant, band_limited=True)
    compare(benchmark, contestant, harmonic_sum, clips, (55.0, 110.0))
