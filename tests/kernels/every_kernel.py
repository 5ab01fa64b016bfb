"""One call of every public function that runs kernels, on a batch that is split over threads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fastdis import features, metrics, synthesis
from fastdis.datasets import SynTone
from fastdis.features import flattening
from fastdis.metrics import METRICS, _bootstrap
from fastdis.metrics._evidence import gather
from fastdis.synthesis import noise

CLIPS, SAMPLES = 64, 4001
LENGTH = {"duration": SAMPLES / 16000}
FRAMES = {"sr": 16000, "n_mels": 20}


def calls() -> dict[str, Callable[[], NDArray]]:
    """Name -> a call, which always has the same result."""
    rng = np.random.default_rng(0)
    pitch = np.exp(rng.uniform(np.log(50), np.log(7000), CLIPS))
    shape, phase = rng.integers(0, 4, CLIPS), rng.uniform(-9, 9, CLIPS)
    clips = rng.uniform(-1, 1, (CLIPS, SAMPLES)).astype(np.float32)
    partials = synthesis.harmonic_partials(pitch / 8, 9, inharmonicity=1e-4, decay=2.0)
    steady = synthesis.harmonic_partials(pitch / 8, 9)
    spectra = features.stft(clips[:6], n_fft=400)
    mel = features.melspectrogram(clips[:4], n_fft=512, **FRAMES)
    factors, codes = rng.integers(0, 6, (150_000, 2)), rng.normal(size=(150_000, 3))
    tones = SynTone("sound", num_freqs=4, num_amps=3)

    def tone(**options):
        return synthesis.oscillator(shape, pitch, phase=phase, **LENGTH, **options)

    return {
        "oscillator": tone,
        "oscillator, band limited": lambda: tone(band_limited=True),
        "additive": lambda: synthesis.additive(partials, **LENGTH),
        "add_noise": lambda: synthesis.add_noise(clips, 10.0, seed=3),
        "normals": lambda: noise.normals(3, 5, (2, 40_001)),
        "stft": lambda: features.stft(clips, n_fft=512),
        "stft, odd": lambda: features.stft(clips, n_fft=399),
        "cqt": lambda: features.cqt(clips, sr=16000, n_bins=60),
        "melspectrogram": lambda: features.melspectrogram(clips, n_fft=512, **FRAMES),
        "melspectrogram, odd": lambda: features.melspectrogram(clips, n_fft=400, **FRAMES),
        "melspectrogram_of_partials": lambda: features.melspectrogram_of_partials(
            steady, n_fft=512, **LENGTH, **FRAMES
        ),
        "istft": lambda: features.istft(spectra),
        "griffinlim": lambda: features.griffinlim(np.abs(spectra), n_iter=2, random_state=0),
        "mel_to_audio": lambda: features.mel_to_audio(
            mel, sr=16000, n_fft=512, hop_length=512, n_iter=1, random_state=0
        ),
        "hilbert_order": lambda: flattening.hilbert_order(129, 16),  # not kept, as an order is
        "power_to_db": lambda: features.power_to_db(mel),
        "joint_histogram": lambda: metrics.joint_histogram(factors, codes).table,
        "joint_histogram, halves": lambda: metrics.joint_histogram(factors / 2, codes).table,
        "resampled_scores": lambda: _bootstrap.resampled_scores(
            gather(factors[:4000], codes[:4000]), {"mig": METRICS["mig"].formula("standard")}, 9
        )["mig"],
        "sap": lambda: np.array(metrics.sap(factors, codes)),
        "sap, ordered": lambda: np.array(metrics.sap(factors / 2, codes)),
        "SynTone": lambda: tones.batch(slice(None))[0],
    }  # fmt: skip


def digest(result: NDArray) -> str:
    """A checksum of the bits of an array."""
    return hashlib.sha256(np.ascontiguousarray(result).tobytes()).hexdigest()[:16]


def digests(_: object = None) -> dict[str, str]:
    """Name -> the checksum of what the call gives here."""
    return {name: digest(call()) for name, call in calls().items()}
