"""One call of every public function of a batch of clips, for test_invariants.py.

A new function of clips needs one entry in ``CALLS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastdis as fd
from fastdis import metrics

_RNG = np.random.default_rng(0)


def _uniform(low: float, high: float, *shape: int) -> NDArray[np.float64]:
    """Numbers that float32 holds exactly, so that neither precision rounds them."""
    return _RNG.uniform(low, high, shape).astype(np.float32).astype(np.float64)


_AUDIO = _RNG.uniform(-1, 1, (9, 3001)).astype(np.float32)
_AUDIO[3] *= 1e6  # the level of a clip is its own
_POWER = _RNG.random((70, 33, 21)).astype(np.float32)  # more than are inverted at once
_SPECTRA = (_POWER + 1j * _RNG.random(_POWER.shape)).astype(np.complex64)
_SHAPES, _AMPLITUDES = np.arange(40) % 4, _uniform(0, 1, 40)
_HERTZ, _PHASES = _uniform(50, 7000, 40), _uniform(-9, 9, 40)
_PARTIALS = tuple(_uniform(*limits, 70, 5) for limits in ((20, 8000), (-1, 1), (0, 9), (-9, 9)))
_CONSTANT_Q = {"sr": 8000, "fmin": 200.0, "hop_length": 100}
_FRAMES = fd.cqt(_AUDIO[:, :1200], n_bins=24, **_CONSTANT_Q)
_INVERTIBLE = {"sr": 8000, "fmin": 50.0, "hop_length": 16}
_ALL_FRAMES = fd.cqt(_AUDIO[:, :1200], n_bins=76, **_INVERTIBLE)
_SHORT = {"duration": 1201 / 16000}


@dataclass(frozen=True)
class Call:
    """A function of ``columns``, arrays with one row per clip.

    ``single``: the function also takes the row of one clip. ``out``: it takes this argument.
    ``numpy_within``: how far the NumPy kernels may be, as a share of the largest value.
    """

    function: Callable[..., NDArray[Any]]
    columns: tuple[NDArray[Any], ...]
    numpy_within: float = 1e-5
    single: bool = True
    out: bool = True

    def __call__(self, columns: Any = None, **options: Any) -> NDArray[Any]:
        return self.function(*(self.columns if columns is None else columns), **options)


def _mel(y: Any, **options: Any) -> NDArray[Any]:
    return fd.melspectrogram(y, **{"sr": 16000, "n_mels": 20} | options)


def _mel_of(steady: Any, **options: Any) -> NDArray[Any]:
    frequency, amplitude, phase = steady
    options = {"sr": 16000, "n_mels": 20, "hop_length": 300, "duration": 0.3} | options
    return fd.melspectrogram_of_partials((frequency, amplitude, 0.0, phase), **options)


def _sum(*partials: Any, duration: float = _SHORT["duration"], **options: Any) -> NDArray[Any]:
    return fd.additive(partials, duration=duration, **options)


CALLS = {
    "stft": Call(lambda y, **o: fd.stft(y, n_fft=512, **o), (_AUDIO,)),
    "stft, odd": Call(lambda y, **o: fd.stft(y, n_fft=301, **o), (_AUDIO,)),
    "stft, mixed": Call(lambda y, **o: fd.stft(y, n_fft=400, hop_length=160, **o), (_AUDIO,)),
    "melspectrogram": Call(lambda y, **o: _mel(y, n_fft=512, **o), (_AUDIO,)),
    "melspectrogram, mixed": Call(
        lambda y, **o: _mel(y, n_fft=400, hop_length=160, **o), (_AUDIO,)
    ),
    "melspectrogram, padded": Call(
        lambda y, **o: _mel(y, n_fft=512, pad_mode="reflect", **o), (_AUDIO,)
    ),
    "melspectrogram of S": Call(
        lambda S, **o: fd.melspectrogram(S=S, sr=8000, n_mels=9, **o), (_POWER,)
    ),
    "melspectrogram_of_partials": Call(
        lambda *p, **o: _mel_of(p, n_fft=2048, **o), (*_PARTIALS[:2], _PARTIALS[3]), single=False
    ),
    "melspectrogram_of_partials, mixed": Call(
        lambda *p, **o: _mel_of(p, n_fft=1000, **o), (*_PARTIALS[:2], _PARTIALS[3]), single=False
    ),
    "cqt": Call(lambda y, **o: fd.cqt(y, n_bins=24, **_CONSTANT_Q, **o), (_AUDIO,)),
    "icqt": Call(lambda C: fd.icqt(C, length=1200, **_CONSTANT_Q), (_FRAMES,), 1e-3, out=False),
    "icqt, all frames": Call(
        lambda C: fd.icqt(C, length=1200, **_INVERTIBLE), (_ALL_FRAMES,), 1e-3, out=False
    ),
    "griffinlim_cqt": Call(
        lambda C: fd.griffinlim_cqt(C, n_iter=1, length=1200, random_state=5, **_CONSTANT_Q),
        (np.abs(_FRAMES),), 1e-3, out=False,
    ),
    "istft": Call(lambda S: fd.istft(S, hop_length=16), (_SPECTRA,), out=False),
    "griffinlim": Call(
        lambda S: fd.griffinlim(S, n_iter=2, random_state=5), (_POWER,), 1e-3, out=False
    ),
    "griffinlim, phases of zero": Call(
        lambda S: fd.griffinlim(S, n_iter=2, init=None), (_POWER,), 1e-3, out=False
    ),
    "mel_to_audio": Call(
        lambda M: fd.mel_to_audio(
            M, sr=8000, n_fft=256, hop_length=256, n_iter=1, random_state=5
        ),
        (_POWER,), 1e-3, out=False,
    ),
    "power_to_db": Call(lambda S: fd.power_to_db(S, ref=np.max), (_POWER,), out=False),
    "db_to_power": Call(fd.db_to_power, (_POWER,), out=False),
    "add_noise": Call(
        lambda y, snr, i, **o: fd.add_noise(y, snr, seed=3, index=i, **o),
        (_AUDIO, _uniform(-20, 60, 9), _RNG.permutation(9)), 2e-6,
    ),
    "oscillator": Call(
        lambda s, f, a, p, **o: fd.oscillator(s, f, a, phase=p, **_SHORT, **o),
        (_SHAPES, _HERTZ, _AMPLITUDES, _PHASES), 3e-7,
    ),
    "oscillator, band limited": Call(
        lambda s, f, a, p, **o: fd.oscillator(s, f, a, phase=p, band_limited=True, **_SHORT, **o),
        (_SHAPES, _HERTZ, _AMPLITUDES, _PHASES), 3e-6,
    ),
    "harmonic_partials": Call(
        lambda f: np.stack(fd.harmonic_partials(f, 4), axis=1), (_HERTZ,), out=False
    ),
    "additive": Call(_sum, _PARTIALS, single=False),
    "additive, few long clips": Call(
        lambda *p, **o: _sum(*p, duration=2.6, **o), tuple(c[:2] for c in _PARTIALS), single=False
    ),
    "adsr": Call(
        lambda a, s, **o: fd.adsr(a, 0.1, s, 0.2, duration=0.5, **o),
        (_uniform(0, 0.3, 40), _uniform(0, 1, 40)),
    ),
}  # fmt: skip

_CODES = np.round(_RNG.standard_normal((300, 4)) * 8).astype(np.float32) / 8
_LEVELS = _RNG.integers(0, 5, (300, 2)).astype(np.float64)

# Functions of all rows together: only the layout of their arrays must not matter.
OF_ALL_ROWS = {
    "joint_histogram": Call(
        lambda v, z: metrics.joint_histogram(v, z, discrete=True).table, (_LEVELS, _CODES)
    ),
    "joint_histogram, bins": Call(
        lambda v, z: metrics.joint_histogram(v, z).table, (_LEVELS, _CODES)
    ),
}
