"""The closed form of a partial's windowed transform against its twin, and that against an FFT."""

import numpy as np
import pytest

from fastdis import _kernels
from fastdis._kernels import reference
from fastdis.features import mel_filterbank

native = pytest.importorskip("fastdis._kernels._partials_mel")

RATE = 16000
# n, hop, frames, partials: usual; over one tile of frames; odd n; the shortest, whose lobes are cut
# by both ends of the spectrum; more partials than bins; a single frame.
CASES = [
    (2048, 512, 28, 3),
    (512, 100, 45, 5),
    (1023, 300, 33, 2),
    (256, 64, 5, 2),
    (257, 64, 5, 140),
    (600, 1, 1, 1),
]


def _partials(rng, count, n):
    """Clips whose first partials lie where a formula could go wrong."""
    step = RATE / n
    special = [
        0.0, 1e-3, step / 2, step, 20 * step, 20.5 * step, 20 * step * (1 + 1e-12), 1.1 * step,
        RATE / 2 - 1e-9, RATE / 2 - step / 3, RATE / 2 - 1.1 * step, RATE / 4,
    ]  # fmt: skip
    shape = (len(special), count)
    frequency = rng.uniform(0, RATE / 2, shape)
    frequency[:, 0] = special
    amplitude = rng.uniform(-1, 1, shape)
    amplitude[:, 0] = 1
    return frequency, amplitude, rng.uniform(-9, 9, shape)


def _rows(n, mels=40):
    return mel_filterbank.filters(RATE, n, mels, 0.0, None, False, "slaney").rows


def _run(kernel, partials, n, hop, frames, power=2.0, mels=40):
    mel = np.full((len(partials[0]), mels, frames), np.nan, np.float32)
    kernel(*partials, RATE, n, hop, 7 + n / 2, power, *_rows(n, mels), mel)
    return mel


def _close(found, expected, n, power, tolerance):
    """Equal to within ``tolerance`` of what a partial of amplitude 1 can reach in a filter."""
    scale = (n / 4) ** power * _rows(n)[2].max()
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=tolerance)


def test_every_kernel_has_a_twin():
    assert _kernels.NATIVE["partials_mel"] == "_partials_mel"
    assert callable(native.partials_mel)
    assert callable(reference.partials_mel)


@pytest.mark.parametrize("power", [2.0, 1.0, 1.5])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_twin_is_the_transform_of_the_samples(rng, case, power):
    n, hop, frames, count = case
    partials = _partials(rng, count, n)
    t = 7 + hop * np.arange(frames)[:, None] + np.arange(n)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    dense = mel_filterbank.filters(RATE, n, 40, 0.0, None, False, "slaney").dense
    expected = []
    for clip in zip(*partials, strict=True):
        parts = zip(*clip, strict=True)
        y = sum(a * np.sin(2 * np.pi * f / RATE * t + phase) for f, a, phase in parts)
        expected.append(dense @ np.abs(np.fft.rfft(y * window)).T ** power)
    found = _run(reference.partials_mel, partials, n, hop, frames, power)
    _close(found, np.array(expected), n, power, 1e-6 if count < 100 else 1e-5)


@pytest.mark.parametrize("power", [2.0, 1.0, 1.5])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_partials_mel(rng, case, power):
    n, hop, frames, count = case
    partials = _partials(rng, count, n)
    found, expected = (
        _run(kernel, partials, n, hop, frames, power)
        for kernel in (native.partials_mel, reference.partials_mel)
    )
    # Of float32, and more of it where many partials are added up.
    _close(found, expected, n, power, 2e-6 if count < 100 else 2e-5)


@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize("n", [2048, 256])
def test_it_is_right_down_to_80_db_below_the_peak(rng, n, count):
    order = np.arange(1, count + 1)
    frequency = rng.uniform(60, 7900 / count, (60, 1)) * order
    amplitude = np.concatenate([np.ones((30, count)), np.broadcast_to(1 / order, (30, count))])
    partials = frequency, amplitude, rng.uniform(0, 7, frequency.shape)
    found = _run(native.partials_mel, partials, n, n // 4, 8, mels=64).astype(np.float64)
    expected = _run(reference.partials_mel, partials, n, n // 4, 8, mels=64)
    level = expected / expected.max(axis=(1, 2), keepdims=True)
    for floor, limit in ((1e-8, 0.005 if count < 4 else 0.012), (1e-6, 0.0012)):
        heard = level > floor
        error = 10 * np.log10(found[heard] / expected[heard])
        assert np.abs(error).max() < limit


def test_it_writes_into_a_view_and_nowhere_else(rng):
    n, hop, frames, count = CASES[1]
    partials = _partials(rng, count, n)
    wide = np.full((len(partials[0]), 42, frames + 3), 7, np.float32)
    view = wide[:, 1:-1, 1:-2]
    native.partials_mel(*partials, RATE, n, hop, 7 + n / 2, 2.0, *_rows(n), view)
    np.testing.assert_array_equal(view, _run(native.partials_mel, partials, n, hop, frames))
    view[...] = 7
    assert (wide == 7).all()


@pytest.mark.parametrize("kernel", [native.partials_mel, reference.partials_mel])
def test_what_is_silent_gives_zeros(kernel):
    nyquist = np.array([[RATE / 2, RATE, 1e12], [0.0, 100.0, 200.0]])
    amplitude = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, -0.0]])
    phase = np.zeros((2, 3))  # a sine of 0 Hz
    assert _run(kernel, (nyquist, amplitude, phase), 512, 128, 3).max() < 1e-15
    assert (_run(kernel, [np.zeros((2, 0))] * 3, 512, 128, 3) == 0).all()
    assert _run(kernel, [np.zeros((0, 3))] * 3, 512, 128, 3).shape == (0, 40, 3)
    assert _run(kernel, [np.zeros((2, 3))] * 3, 512, 128, 0).shape == (2, 40, 0)


def test_large_phases_and_the_faintest_amplitudes():
    frequency = np.full((3, 2), 1000.3)  # two partials, of which the phases decide how they add up
    amplitude = np.array([[1.0, 1.0], [1.0, 1.0], [1e-320, 0.0]])
    phase = np.array([[1e16, 2.5], [np.arctan2(np.sin(1e16), np.cos(1e16)), 2.5], [0.0, 0.0]])
    found = _run(native.partials_mel, (frequency, amplitude, phase), 512, 128, 3)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)
    assert (found[2] == 0).all()


def test_a_filter_that_holds_no_bin(rng):
    partials = _partials(rng, 2, 256)
    with pytest.warns(UserWarning, match="hold no frequency bin"):
        rows = _rows(256, 128)
    mels = []
    for kernel in (native.partials_mel, reference.partials_mel):
        mels.append(np.full((len(partials[0]), 128, 3), np.nan, np.float32))
        kernel(*partials, RATE, 256, 64, 128.0, 2.0, *rows, mels[-1])
    _close(*mels, 256, 2.0, 2e-6)


def test_the_kernel_refuses_another_dtype_or_layout():
    table, mel = np.zeros((2, 3)), np.zeros((2, 40, 4), np.float32)
    single = table.astype(np.float32)
    rest = RATE, 512, 128, 256.0, 2.0, *_rows(512)
    with pytest.raises(ValueError, match="dtype"):
        native.partials_mel(single, table, table, *rest, mel)
    with pytest.raises(ValueError, match="contiguous"):
        native.partials_mel(table, table, table, *rest, mel[:, :, ::2])
