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
Peer = Callable[[NDArray[np.float32]], tuple[list[Contestant], NDArray[Any]]]
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
    scale: Scale, make_peer: Peer, peer_clips: tuple[int, int, int], htk: bool = False
) -> Trial:
    """``make_peer`` gives its settings, and its result for the first of the clips it is given."""
    audio = clips(pick(scale, 16, 1024, 2048))
    fewer = audio[: pick(scale, *peer_clips)]
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
        batches(ours, audio, (256, 1024)), contestants, error,
        bytes_moved=CLIP_BYTES + 4 * N_MELS * FRAMES, multiply_adds=MEL,
    )  # fmt: skip


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


def in_torch(
    run: Callable[[Any], Any], audio: NDArray[np.float32], sizes: tuple[int, ...]
) -> tuple[list[Contestant], NDArray[Any]]:
    """``run`` of tensors in batches of each size, and its result for the first four clips."""
    import torch

    tensor = torch.from_numpy(audio)
    setting = f", {torch.get_num_threads()} threads"
    return batches(run, tensor, sizes, setting), run(tensor[:4]).numpy()


def _torch(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
    import torch

    filters = torch.from_numpy(mel_filters(sr=RATE, n_fft=N_FFT))
    transform = torch_stft()

    @torch.inference_mode()
    def run(y: torch.Tensor) -> torch.Tensor:
        spectra = transform(y)
        return filters @ torch.addcmul(spectra.real.square(), spectra.imag, spectra.imag)

    return in_torch(run, audio, (4, 16, 64, 256))


def _librosa(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
    import librosa

    def run() -> list[NDArray[np.float32]]:
        return [librosa.feature.melspectrogram(y=y, sr=RATE) for y in audio]

    return [Contestant(run, len(audio), "1 thread")], np.stack(run())


def _librosa_by_hand(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
    """librosa makes its filter bank anew at each call, which is over half of its time."""
    import librosa

    filters = librosa.filters.mel(sr=RATE, n_fft=N_FFT)

    def run() -> list[NDArray[np.float32]]:
        return [filters @ np.abs(librosa.stft(y, n_fft=N_FFT)) ** 2 for y in audio]

    return [Contestant(run, len(audio))], np.stack(run())


def _librosa_batch(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
    import librosa

    run = partial(librosa.feature.melspectrogram, y=audio, sr=RATE)
    return [Contestant(run, len(audio), f"{len(audio)} clips")], run()


def _nnaudio(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
    import torch
    from nnAudio.features import MelSpectrogram

    layer = MelSpectrogram(
        sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS, pad_mode="constant", verbose=False
    )
    return in_torch(torch.inference_mode()(layer), audio, (4, 16, 64))


def _audioflux(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
    """Its mel scale is HTK's, and it does not centre frames: it is given padded clips.

    Loaded after torch it binds to torch's MKL and returns twice the values: see `load_first`.
    """
    import audioflux
    from audioflux.type import SpectralFilterBankNormalType

    spectrogram = audioflux.MelSpectrogram(
        num=N_MELS, samplate=RATE, radix2_exp=11, slide_length=HOP,
        normal_type=SpectralFilterBankNormalType.BAND_WIDTH,
    ).spectrogram  # fmt: skip
    padded = np.pad(audio, ((0, 0), (N_FFT // 2, N_FFT // 2)))
    return batches(spectrogram, padded, (1, 16, 64)), spectrogram(padded[:4])


_WORK, OF_VALUE = "melspectrogram 2048/512/128", f"relative, above {AUDIBLE:g} of peak"
_mel_torch = partial(_mel, make_peer=_torch, peer_clips=(4, 256, 512))
_FEW = (4, 32, 64)


def _row(
    peer: str, prepare: Callable[[Scale], Trial], at_least: float | None, needs: str, mels: str = ""
) -> Row:  # fmt: skip
    return Row(
        _WORK + mels, peer, prepare, at_least, 1e-4, OF_VALUE, needs=needs,
        held_back=TRANSFORM_HELD_BACK,
    )  # fmt: skip


ROWS = (
    _row("torch.stft and a filter matrix", _mel_torch, 10, "torch"),
    _row(
        "librosa, a clip at a time", partial(_mel, make_peer=_librosa, peer_clips=_FEW), 60,
        "librosa",
    ),
    _row(
        "librosa.stft and a filter matrix, a clip at a time",
        partial(_mel, make_peer=_librosa_by_hand, peer_clips=_FEW), None, "librosa",
    ),
    _row(
        "librosa, in one batch", partial(_mel, make_peer=_librosa_batch, peer_clips=_FEW), None,
        "librosa",
    ),
    _row("nnAudio", partial(_mel, make_peer=_nnaudio, peer_clips=_FEW), 12, "nnAudio"),
    _row(
        "audioFlux", partial(_mel, make_peer=_audioflux, peer_clips=(4, 256, 512), htk=True), 12,
        "audioflux", ", HTK scale",
    ),
)  # fmt: skip
