"""Rows of mel spectrograms: 2048-point frames, hop 512, 128 mels, one-second clips at 16 kHz.

Half of the clips are SynTone's tones, half noise. Results are held to float64 transforms.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis._bench.measure import Contestant, Row, Scale, Trial, check_peer, pick
from fastdis._bench.rows.synthesis import CLIP_BYTES, RATE, grid_columns
from fastdis.features import mel_filters, melspectrogram
from fastdis.synthesis import oscillator

N_FFT, HOP, N_MELS = 2048, 512, 128
BINS, FRAMES = 1 + N_FFT // 2, 1 + RATE // HOP
# Of a clip's peak: mel values above it are held to their relative error. It grows further below,
# where a float32 transform's rounding, which is relative to the peak, tells.
AUDIBLE = 1e-5
_CHECKED = 64  # clips whose float64 spectra are in memory at once


def stft_multiply_adds(n_fft: int) -> float:
    """A clip: the window, and real transforms of 2.5 n log2(n) operations, two of them in one."""
    return float((1 + RATE // HOP) * (n_fft + 1.25 * n_fft * np.log2(n_fft)))


MEL = stft_multiply_adds(N_FFT) + 4 * BINS * FRAMES  # squares, and two filters a bin

TRANSFORM_HELD_BACK = (
    "an FFT adds more often than it multiplies, so that most of its operations are lone additions, "
    "and loads and stores all its data once a pass"
)


def clips(count: int) -> NDArray[np.float32]:
    """``(count, RATE)``: tones and noise in turn."""
    audio = np.random.default_rng(0).uniform(-1, 1, (count, RATE)).astype(np.float32)
    tones = grid_columns(np.arange(count // 2) * 997 % 32_000)
    audio[1::2] = oscillator(*tones, time_axis="linspace")
    return audio


def batches(
    run: Callable[[Any], object], audio: Any, sizes: tuple[int, ...], setting: str = ""
) -> list[Contestant]:
    """``run`` over all of ``audio``, in batches of each size that is not beyond it."""

    def over(size: int) -> None:
        for start in range(0, len(audio), size):
            run(audio[start : start + size])

    return [
        Contestant(partial(over, size), len(audio), f"batches of {size}{setting}")
        for size in sorted({min(size, len(audio)) for size in sizes})
    ]


def exact_spectra(audio: NDArray[Any], n_fft: int = N_FFT) -> NDArray[np.complex128]:
    """The centred STFT in float64, ``(B, bins, frames)``."""
    padded = np.pad(audio.astype(np.float64), ((0, 0), (n_fft // 2, n_fft // 2)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=1)[:, ::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    spectra: NDArray[np.complex128] = np.fft.rfft(frames * window, axis=2).transpose(0, 2, 1)
    return spectra


def exact_mel(audio: NDArray[Any], htk: bool = False) -> NDArray[np.float64]:
    """The mel spectrogram in float64."""
    filters = mel_filters(sr=RATE, n_fft=N_FFT, htk=htk).astype(np.float64)
    mel: NDArray[np.float64] = filters @ np.abs(exact_spectra(audio)) ** 2
    return mel


def mel_error(found: NDArray[np.float32], exact: NDArray[np.floating[Any]]) -> float:
    """The largest relative error of mel values above `AUDIBLE` of their clip's peak."""
    audible = exact > AUDIBLE * exact.max(axis=(1, 2), keepdims=True)
    return float((np.abs(found - exact)[audible] / exact[audible]).max())


def _mel(
    scale: Scale,
    make_peer: Callable[[NDArray[np.float32]], tuple[list[Contestant], NDArray[Any]]],
    peer_clips: int,
    htk: bool = False,
) -> Trial:
    """``make_peer`` gives its settings, and its result for the clips that it is given."""
    audio = clips(pick(scale, 16, 1024, 2048))
    fewer = audio[:peer_clips]
    contestants, found = make_peer(fewer)
    out = np.zeros((len(audio), N_MELS, FRAMES), np.float32)

    def ours(y: NDArray[np.float32]) -> object:
        return melspectrogram(y, sr=RATE, htk=htk, out=out[: len(y)])

    def error() -> float:
        check_peer(found, melspectrogram(fewer[: len(found)], sr=RATE, htk=htk))
        starts = range(0, pick(scale, 16, 256, 1024), _CHECKED)
        some = [audio[i : i + _CHECKED] for i in starts]
        return max(mel_error(melspectrogram(y, sr=RATE, htk=htk), exact_mel(y, htk)) for y in some)

    return Trial(
        batches(ours, audio, (256, 1024)),
        contestants,
        error,
        bytes_moved=CLIP_BYTES + 4 * N_MELS * FRAMES,
        multiply_adds=MEL,
    )


def load_first() -> None:
    """Load audioFlux, if it is installed; call this before anything loads torch."""
    with suppress(ImportError, OSError):  # OSError: it may lack a library of its own
        import audioflux  # noqa: F401


def torch_stft(n_fft: int = N_FFT) -> Callable[[Any], Any]:
    """``torch.stft`` of tensors ``(B, T)``, its window made once."""
    import torch

    window = torch.hann_window(n_fft)

    def run(y: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return torch.stft(
                y, n_fft, HOP, window=window, pad_mode="constant", return_complex=True
            )

    return run


def _mel_torch(scale: Scale) -> Trial:
    def peer(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
        import torch

        filters = torch.from_numpy(mel_filters(sr=RATE, n_fft=N_FFT))
        transform = torch_stft()

        @torch.inference_mode()
        def run(y: torch.Tensor) -> torch.Tensor:
            spectra = transform(y)
            return filters @ torch.addcmul(spectra.real.square(), spectra.imag, spectra.imag)

        tensor = torch.from_numpy(audio)
        setting = f", {torch.get_num_threads()} threads"
        return batches(run, tensor, (4, 16, 64, 256), setting), run(tensor[:4]).numpy()

    return _mel(scale, peer, pick(scale, 4, 256, 512))


def _mel_librosa(scale: Scale) -> Trial:
    def peer(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
        import librosa

        def run() -> list[NDArray[np.float32]]:
            return [librosa.feature.melspectrogram(y=y, sr=RATE) for y in audio]

        return [Contestant(run, len(audio), "1 thread")], np.stack(run())

    return _mel(scale, peer, pick(scale, 4, 32, 64))


def _mel_librosa_by_hand(scale: Scale) -> Trial:
    """librosa makes its filter bank anew at each call, which is over half of its time."""

    def peer(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
        import librosa

        filters = librosa.filters.mel(sr=RATE, n_fft=N_FFT)

        def run() -> list[NDArray[np.float32]]:
            return [filters @ np.abs(librosa.stft(y, n_fft=N_FFT)) ** 2 for y in audio]

        return [Contestant(run, len(audio))], np.stack(run())

    return _mel(scale, peer, pick(scale, 4, 32, 64))


def _mel_librosa_batch(scale: Scale) -> Trial:
    def peer(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
        import librosa

        def run() -> NDArray[np.float32]:
            mel: NDArray[np.float32] = librosa.feature.melspectrogram(y=audio, sr=RATE)
            return mel

        return [Contestant(run, len(audio), f"{len(audio)} clips")], run()

    return _mel(scale, peer, pick(scale, 4, 32, 64))


def _mel_nnaudio(scale: Scale) -> Trial:
    def peer(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
        import torch
        from nnAudio.features import MelSpectrogram

        layer = MelSpectrogram(
            sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS, pad_mode="constant", verbose=False
        )
        run = torch.inference_mode()(layer)
        tensor = torch.from_numpy(audio)
        setting = f", {torch.get_num_threads()} threads"
        return batches(run, tensor, (4, 16, 64), setting), run(tensor[:4]).numpy()

    return _mel(scale, peer, pick(scale, 4, 32, 64))


def _mel_audioflux(scale: Scale) -> Trial:
    """Its mel scale is HTK's, and it does not centre frames: it is given padded clips.

    Loaded after torch it binds to torch's MKL and returns twice the values: see `load_first`.
    """

    def peer(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
        import audioflux
        from audioflux.type import SpectralFilterBankNormalType

        spectrogram = audioflux.MelSpectrogram(
            num=N_MELS, samplate=RATE, radix2_exp=11, slide_length=HOP,
            normal_type=SpectralFilterBankNormalType.BAND_WIDTH,
        ).spectrogram  # fmt: skip
        padded = np.pad(audio, ((0, 0), (N_FFT // 2, N_FFT // 2)))
        return batches(spectrogram, padded, (1, 16, 64)), spectrogram(padded[:4])

    return _mel(scale, peer, pick(scale, 4, 256, 512), htk=True)


OF_VALUE = f"relative, above {AUDIBLE:g} of peak"

ROWS = (
    Row(
        "melspectrogram 2048/512/128", "torch.stft and a filter matrix", _mel_torch, 10, 1e-4,
        OF_VALUE, needs="torch", held_back=TRANSFORM_HELD_BACK,
    ),
    Row(
        "melspectrogram 2048/512/128", "librosa, a clip at a time", _mel_librosa, 60, 1e-4,
        OF_VALUE, needs="librosa", held_back=TRANSFORM_HELD_BACK,
    ),
    Row(
        "melspectrogram 2048/512/128", "librosa.stft and a filter matrix, a clip at a time",
        _mel_librosa_by_hand, None, 1e-4, OF_VALUE, needs="librosa",
        held_back=TRANSFORM_HELD_BACK,
    ),
    Row(
        "melspectrogram 2048/512/128", "librosa, in one batch", _mel_librosa_batch, None, 1e-4,
        OF_VALUE, needs="librosa", held_back=TRANSFORM_HELD_BACK,
    ),
    Row(
        "melspectrogram 2048/512/128", "nnAudio", _mel_nnaudio, 12, 1e-4,
        OF_VALUE, needs="nnAudio", held_back=TRANSFORM_HELD_BACK,
    ),
    Row(
        "melspectrogram 2048/512/128, HTK scale", "audioFlux", _mel_audioflux, 12, 1e-4,
        OF_VALUE, needs="audioflux", held_back=TRANSFORM_HELD_BACK,
    ),
)  # fmt: skip
