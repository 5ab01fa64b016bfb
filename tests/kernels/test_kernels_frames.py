"""The fused frames kernels against their NumPy twins, at every radix and where a clip ends."""

import numpy as np
import pytest

from fastdis import stft
from fastdis._kernels import native_module, reference
from fastdis.features import framing, mel_filterbank

native = native_module("_frames")
pytestmark = pytest.mark.skipif(native is None, reason="the C extension is not built")

LOUDEST = 1e12
# n, hop, samples, where frame 0 begins, frames
CASES = {
    "one-second clip": (2048, 512, 16000, -1024, 32),
    "8 by 8": (128, 32, 700, -64, 22),
    "8 by 16": (256, 64, 1000, -128, 16),
    "16 by 16": (512, 100, 2000, -256, 21),
    "16 by 32": (1024, 256, 5000, -512, 20),
    "32 by 64": (4096, 1024, 9001, -2048, 9),
    "64 by 64": (8192, 2048, 9000, -4096, 5),
    "one sample": (128, 32, 1, -64, 1),
    "odd hop and length": (256, 37, 333, -128, 10),
    "hop of one": (128, 1, 40, -64, 41),
    "hop longer than the frame": (128, 333, 2000, 0, 6),
    "one more frame than lanes": (128, 128, 128 * 17, 0, 17),
    "frames wholly outside": (128, 128, 50, -128, 4),
    "not padded": (512, 128, 1024, 0, 5),
}


def clips(rng, batch, samples):
    return (rng.standard_normal((batch, samples)) * [[1.0], [1e-3], [30.0]][:batch]).astype("f4")


def window_of(n):
    return framing.framing(n, None, None, "hann", True).taps


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_spectra(rng, case):
    n, hop, samples, start, frames = case
    y, window = clips(rng, 3, samples), window_of(n)
    got = np.full((3, n // 2 + 1, frames), np.nan + 0j, np.complex64)
    expected = np.empty_like(got)
    assert native.frames_to_spectra(y, window, hop, start, LOUDEST, got) == 3
    assert reference.frames_to_spectra(y, window, hop, start, LOUDEST, expected) == 3
    peak = np.abs(expected).max(axis=(1, 2), keepdims=True)
    assert (np.abs(got - expected) <= 4e-7 * peak).all()


@pytest.mark.parametrize("power", [2.0, 1.0, 1.7])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_mel(rng, case, power):
    n, hop, samples, start, frames = case
    y, window = clips(rng, 3, samples), window_of(n)
    bank = mel_filterbank.filters(16000, n, 20, 0.0, None, False, "slaney")
    got, expected = np.full((2, 3, 20, frames), np.nan, np.float32)
    arguments = y, window, hop, start, LOUDEST, power, *bank.rows
    assert native.frames_to_mel(*arguments, got) == 3
    assert reference.frames_to_mel(*arguments, expected) == 3
    peak = expected.max(axis=(1, 2), keepdims=True)
    assert (np.abs(got - expected) <= 1e-6 * peak).all()


@pytest.mark.filterwarnings("ignore:.*mel filters hold no frequency bin")
def test_filters_without_a_bin_give_zero(rng):
    y = clips(rng, 1, 500)
    bank = mel_filterbank.filters(16000, 128, 100, 0.0, None, False, "slaney")
    assert bank.empty
    got, expected = np.full((2, 1, 100, 8), np.nan, np.float32)
    arguments = y, window_of(128), 64, -64, LOUDEST, 2.0, *bank.rows
    native.frames_to_mel(*arguments, got)
    reference.frames_to_mel(*arguments, expected)
    assert (got[0][~bank.dense.any(axis=1)] == 0).all()
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2e12, -2e12])
@pytest.mark.parametrize("place", [0, 7, 299])
def test_it_stops_before_a_clip_that_is_not_finite_or_too_loud(rng, bad, place):
    y = clips(rng, 3, 300)
    y[2, place] = bad
    for module in (native, reference):
        spectra = np.full((3, 65, 5), 7, np.complex64)
        assert module.frames_to_spectra(y, window_of(128), 64, -64, LOUDEST, spectra) == 2
        assert (spectra[:2] != 7).any()
        assert (spectra[2] == 7).all()


def test_no_clips():
    y = np.zeros((0, 300), np.float32)
    assert native.frames_to_spectra(y, window_of(128), 64, 0, 1.0, np.empty((0, 65, 3), "c8")) == 0


@pytest.mark.parametrize("n", [256, 2048])
def test_a_frame_is_the_same_whatever_stands_beside_it(rng, n):
    """In one vector with other frames, or alone in the last and partly filled one."""
    y = clips(rng, 1, 40 * n)[0]
    whole = stft(y, n_fft=n, hop_length=n, center=False)
    for frame in (0, 3, 15, 16, 39):
        alone = stft(y[frame * n : (frame + 1) * n], n_fft=n, hop_length=n, center=False)
        assert (whole[:, frame] == alone[:, 0]).all()


def test_a_quiet_frame_beside_a_loud_one_is_as_exact():
    n = 512
    y = np.sin(np.arange(32 * n) * 0.3)
    y[5 * n : 6 * n] *= 1e-9
    got = stft(y.astype(np.float32), n_fft=n, hop_length=n, center=False)[:, 5]
    expected = np.fft.rfft(y[5 * n : 6 * n].astype(np.float32) * window_of(n).astype(float))
    assert np.abs(got - expected).max() < 3e-7 * np.abs(expected).max()
