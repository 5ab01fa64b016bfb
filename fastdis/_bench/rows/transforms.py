"""Rows of the transforms themselves, and of mel spectrograms of partials without their samples.

Clips and frames are those of the mel spectrograms' rows.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis._bench.measure import Contestant, Row, Scale, Trial, check_peer, of_peak, pick
from fastdis._bench.rows.features import (
    BINS,
    FRAMES,
    HOP,
    N_FFT,
    N_MELS,
    OF_VALUE,
    TRANSFORM_HELD_BACK,
    batches,
    clips,
    exact_mel,
    exact_spectra,
    mel_error,
    stft_multiply_adds,
    torch_stft,
)
from fastdis._bench.rows.synthesis import CLIP_BYTES, RATE, tones
from fastdis.features import griffinlim, istft, melspectrogram, melspectrogram_of_partials, stft
from fastdis.synthesis import Partials, additive

_STFT = stft_multiply_adds(N_FFT)
_STFT_BYTES = 8 * BINS * FRAMES
_OTHER = 1000  # a length of frame that the fused kernel does not take

_STFT_HELD_BACK = (
    TRANSFORM_HELD_BACK + "; each frame's bins lie a whole row apart in the result, so that frames "
    "are gathered into whole cache lines first; only those go past the cache"
)
_FFTW_HELD_BACK = (
    "frames of lengths other than powers of two are packed, transformed by FFTW and unpacked, each "
    "a pass over memory, and FFTW's plans for them are estimates"
)
_ISTFT_HELD_BACK = (
    "unlike stft it is not fused: the spectra of two frames at a time are packed into one, "
    "transformed back by FFTW, and overlapped and added, each a pass over memory, and a clip is "
    "cleared before and scaled after"
)
_GRIFFINLIM_HELD_BACK = (
    "each iteration is an inverse and a forward transform by FFTW, pairs of frames packed and "
    "overlapped in passes of their own, and a square root and a division for each bin"
)


def _stft_torch(scale: Scale, n_fft: int = N_FFT) -> Trial:
    import torch

    audio = clips(pick(scale, 16, 512, 1024))
    run = torch_stft(n_fft)
    tensor = torch.from_numpy(audio[: pick(scale, 4, 256, 512)])
    # Written again and again, as in a loop over batches.
    out = stft(audio[:512], n_fft=n_fft, hop_length=HOP)

    def ours(y: NDArray[np.float32]) -> object:
        return stft(y, n_fft=n_fft, hop_length=HOP, out=out[: len(y)])

    def error() -> float:
        some = audio[: pick(scale, 4, 32, 64)]
        found = stft(some, n_fft=n_fft, hop_length=HOP)
        check_peer(run(torch.from_numpy(some)).numpy(), found)
        return of_peak(found, exact_spectra(some, n_fft))

    return Trial(
        batches(ours, audio, (64, 512)),
        batches(run, tensor, (4, 16, 64, 256), f", {torch.get_num_threads()} threads"),
        error,
        bytes_moved=CLIP_BYTES + out[0].nbytes,
        multiply_adds=stft_multiply_adds(n_fft),
    )


def _istft_torch(scale: Scale) -> Trial:
    import torch

    audio = clips(pick(scale, 8, 256, 512))
    spectra = stft(audio)
    tensor = torch.from_numpy(spectra)
    window = torch.hann_window(N_FFT)

    @torch.inference_mode()
    def run(x: torch.Tensor) -> torch.Tensor:
        return torch.istft(x, N_FFT, HOP, window=window, length=RATE)

    def error() -> float:
        check_peer(run(tensor[:4]).numpy(), audio[:4])
        return of_peak(istft(spectra[:32], length=RATE), audio[:32])

    return Trial(
        batches(partial(istft, length=RATE), spectra, (64, 256)),
        batches(run, tensor, (4, 16, 64), f", {torch.get_num_threads()} threads"),
        error,
        bytes_moved=CLIP_BYTES + _STFT_BYTES,
        multiply_adds=_STFT,
    )


def _griffinlim(scale: Scale) -> Trial:
    """32 iterations magnify rounding: held to librosa's is how near the magnitudes come."""
    import librosa

    magnitudes = np.abs(stft(clips(pick(scale, 2, 32, 128))))
    iterations = pick(scale, 2, 32, 32)

    def convergence(y: NDArray[np.float32]) -> float:
        return float(np.linalg.norm(np.abs(librosa.stft(y)) - magnitudes[0]))

    def one() -> Any:
        return librosa.griffinlim(magnitudes[0], n_iter=iterations, init=None)

    def error() -> float:
        found = griffinlim(magnitudes[:1], n_iter=iterations, init=None)[0]
        return abs(convergence(found) / convergence(one()) - 1.0)

    return Trial(
        [Contestant(lambda: griffinlim(magnitudes, n_iter=iterations, init=None), len(magnitudes))],
        [Contestant(one, 1, "1 thread")],
        error,
        bytes_moved=CLIP_BYTES + _STFT_BYTES / 2,
        multiply_adds=2 * iterations * _STFT,
    )


def _partials_mel(scale: Scale, count: int) -> Trial:
    """Of tones of ``count`` stationary partials, against ours by way of their samples."""
    from benchmarks.peers.synthesis import additive_numpy

    partials = tones(pick(scale, 4, 256, 1024), count)
    partials = partials._replace(decay=np.zeros_like(partials.decay))
    clips = len(partials.decay)
    mels = np.zeros((clips, N_MELS, FRAMES), np.float32)
    audio = np.zeros((clips, RATE), np.float32)

    def samples_first() -> NDArray[np.float32]:
        return melspectrogram(additive(partials, out=audio), sr=RATE, out=mels)

    def error() -> float:
        some = Partials(*(column[: pick(scale, 4, 32, 64)] for column in partials))
        exact = exact_mel(additive_numpy(some, np.arange(RATE) / RATE))
        check_peer(melspectrogram(additive(some), sr=RATE), exact)
        return mel_error(melspectrogram_of_partials(some, sr=RATE), exact)

    return Trial(
        [Contestant(lambda: melspectrogram_of_partials(partials, sr=RATE, out=mels), clips)],
        [Contestant(samples_first, clips)],
        error,
        bytes_moved=4 * 4 * count + mels[0].nbytes,
        multiply_adds=math.nan,  # how many bins a partial reaches depends on how loud it is
    )


ROWS = (
    Row(
        "stft, complex out", "torch.stft", _stft_torch, 3, 1e-5,
        needs="torch", held_back=_STFT_HELD_BACK,
    ),
    Row(
        f"stft, complex out, n_fft={_OTHER}", "torch.stft", partial(_stft_torch, n_fft=_OTHER),
        None, 1e-5, needs="torch", held_back=_FFTW_HELD_BACK,
    ),
    Row(
        "istft", "torch.istft", _istft_torch, None, 1e-5,
        needs="torch", held_back=_ISTFT_HELD_BACK,
    ),
    Row(
        "Griffin-Lim, 32 iterations", "librosa, a clip at a time", _griffinlim, None, 1e-2,
        "of the convergence", needs="librosa", held_back=_GRIFFINLIM_HELD_BACK,
    ),
    *(
        Row(
            f"melspectrogram_of_partials, {count} of them", "melspectrogram(additive(...)), ours",
            partial(_partials_mel, count=count), None, 1e-4, OF_VALUE,
            held_back="its multiply-adds are not counted", own_peer=True,
        )
        for count in (1, 10, 40)
    ),
)  # fmt: skip
