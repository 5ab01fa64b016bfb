"""The spectral kernels against their NumPy twins: the same arithmetic, so nearly the same bits."""

import numpy as np
import pytest

from fastdis import _kernels
from fastdis._kernels import fft, reference
from fastdis.features import mel_filterbank

native = pytest.importorskip("fastdis._kernels._spectral")

# n, frames, hop, samples, start: usual; odd n and a part-filled tile; one frame wholly outside;
# the smallest n; frames wholly before and behind the clip.
CASES = [
    (2048, 32, 512, 16000, -1024),
    (511, 45, 100, 3000, -255),
    (400, 1, 160, 100, -500),
    (2, 3, 1, 4, -1),
    (16, 77, 4, 200, -40),
]


@pytest.fixture(params=CASES, ids=str)
def case(request, rng):
    n, frames, hop, samples, start = request.param
    y = rng.standard_normal(samples).astype(np.float32)
    y[: samples // 3] *= 1e-6  # frames far quieter than their partners
    y[samples // 2 : samples // 2 + n] = 0  # and silent ones
    window = (0.1 + rng.random(n)).astype(np.float32)
    transform = fft.transform((frames + 1) // 2, n)
    gain = np.empty(frames, np.float32)
    native.pack_frames(y, window, hop, start, transform.time, gain)
    transform.forward()
    return request.param, y, window, transform, gain


def _close(found, expected, tolerance):
    scale = max(np.abs(expected).max(), 1e-30)
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=tolerance)


def _bank(n, mels):
    return mel_filterbank.filters(16000, n, mels, 0.0, None, False, "slaney")


def test_every_kernel_has_a_twin():
    names = [name for name, module in _kernels.NATIVE.items() if module == "_spectral"]
    for name in names:
        assert callable(getattr(native, name))
        assert callable(getattr(reference, name))


def test_pack_frames(case):
    (n, frames, hop, _, start), y, window, transform, gain = case
    packed = np.empty(((frames + 1) // 2, n), np.complex64)
    expected = np.empty(frames, np.float32)
    reference.pack_frames(y, window, hop, start, packed, expected)
    np.testing.assert_array_equal(gain, expected)
    np.testing.assert_array_equal(transform.time, packed)


def test_pack_frames_lifts_by_powers_of_two_and_marks_silence():
    y = np.array([1, 1e-4, 1e-30, 0, 1, 2, 5e-42, 0.5], np.float32)
    packed, gain = np.empty((4, 1), np.complex64), np.empty(8, np.float32)
    native.pack_frames(y, np.ones(1, np.float32), 1, 0, packed, gain)
    np.testing.assert_array_equal(gain, [1, 2.0**-14, 1, 0, 1, 1, 2.0**-60, 1])
    lifted = np.stack([packed.real, packed.imag], axis=1).ravel()
    np.testing.assert_array_equal(lifted * gain, y)


def test_unpack_spectrum(case):
    (n, frames, *_), _, _, transform, gain = case
    wide = np.full((n // 2 + 1, frames + 3), 7 + 7j, np.complex64)
    expected = np.empty((n // 2 + 1, frames), np.complex64)
    native.unpack_spectrum(transform.frequency, gain, wide[:, 1:-2])
    reference.unpack_spectrum(transform.frequency, gain, expected)
    _close(wide[:, 1:-2], expected, 1e-7)
    assert (wide[:, [0, -2, -1]] == 7 + 7j).all()


@pytest.mark.filterwarnings("ignore:.*mel filters hold no")
@pytest.mark.parametrize("power", [2.0, 1.0, 1.5])
def test_mel_from_packed(case, power):
    (n, frames, *_), _, _, transform, gain = case
    bank = _bank(n, min(40, n // 2 + 1))
    wide = np.full((len(bank.dense), frames + 2), 7, np.float32)
    expected = np.empty((len(bank.dense), frames), np.float32)
    for kernel, out in (
        (native.mel_from_packed, wide[:, :-2]), (reference.mel_from_packed, expected),
    ):  # fmt: skip
        kernel(transform.frequency, gain, power, *bank.columns, out)
    _close(wide[:, :-2], expected, 1e-6)  # the order of summation differs
    assert (wide[:, -2:] == 7).all()


def test_pack_spectrum_and_overlap_add(case, rng):
    (n, frames, hop, samples, start), _, window, _, _ = case
    shape = (n // 2 + 1, frames)
    spectrum = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    inverse = fft.transform((frames + 1) // 2, n)
    expected = np.empty_like(inverse.frequency)
    inverse.frequency[...] = np.nan  # every entry is written
    native.pack_spectrum(spectrum, inverse.frequency)
    reference.pack_spectrum(spectrum, expected)
    np.testing.assert_array_equal(inverse.frequency, expected)
    inverse.backward()
    first = np.fft.irfft(spectrum[:, 0], n) * n
    _close(inverse.time[0].real, first.astype(np.float32), 1e-6)
    y, y_expected = np.ones((2, samples), np.float32)
    native.overlap_add(inverse.time, window, hop, start, frames, y)
    reference.overlap_add(inverse.time, window, hop, start, frames, y_expected)
    _close(y, y_expected, 1e-6)


def test_project_phase(case, rng):
    (n, frames, *_), _, _, transform, gain = case
    rows, bins = (frames + 1) // 2, n // 2 + 1
    magnitude = rng.random((rows, bins, 2)).astype(np.float32)
    previous = rng.standard_normal((rows, 2, bins, 2)).astype(np.float32)
    previous[:, 1, 0] = 0
    if n % 2 == 0:
        previous[:, 1, -1] = 0
    if frames % 2:
        magnitude[-1, :, 1], previous[-1, :, :, 1] = 0, 0
    previous_expected = previous.copy()
    expected = transform.frequency.copy()
    native.project_phase(transform.frequency, gain, 0.5, magnitude, previous)
    reference.project_phase(expected, gain, 0.5, magnitude, previous_expected)
    _close(previous, previous_expected, 1e-7)
    _close(transform.frequency, expected, 1e-5)  # 1 / |Y| magnifies the rounding of a small Y


@pytest.mark.filterwarnings("ignore:.*mel filters hold no")
@pytest.mark.parametrize("frames", [1, 32, 45])
@pytest.mark.parametrize("n", [511, 64])
def test_mel_least_squares(rng, n, frames):
    bank = _bank(n, 30)
    mel = rng.random((30, frames)).astype(np.float32)
    mel[:, 0] = 0
    found, expected = np.full((2, n // 2 + 1, frames), np.nan, np.float32)
    native.mel_least_squares(mel, *bank.columns, 40, found)
    reference.mel_least_squares(mel, *bank.columns, 40, expected)
    _close(found, expected, 1e-4)  # 40 steps, each with its own rounding
    assert found.min() >= 0
    assert (found[:, 0] == 0).all()


def test_no_steps_is_silence():
    bank = _bank(64, 4)
    found = np.full((33, 2), np.nan, np.float32)
    native.mel_least_squares(np.ones((4, 2), np.float32), *bank.columns, 0, found)
    assert (found == 0).all()


def test_a_kernel_refuses_another_dtype_or_layout():
    gain, window = np.empty(2, np.float32), np.ones(4, np.float32)
    packed = np.empty((1, 4), np.complex64)
    with pytest.raises(ValueError, match="dtype"):
        native.pack_frames(np.zeros(8), window, 2, 0, packed, gain)
    with pytest.raises(ValueError, match="contiguous"):
        native.pack_frames(np.zeros(16, np.float32)[::2], window, 2, 0, packed, gain)
    with pytest.raises(ValueError, match="contiguous"):
        native.unpack_spectrum(packed, gain, np.empty((2, 3), np.complex64).T)
