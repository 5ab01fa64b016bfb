"""Rows of the feature stage: 2048-point frames, hop 512, 128 mels, one-second clips at 16 kHz.

Half of the clips are SynTone's tones, half noise. Results are held to float64 transforms.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis._bench.measure import Contestant, Row, Scale, Trial, WrongPeerError, pick
from fastdis._bench.synthesis import CLIP_BYTES, RATE, grid_columns
from fastdis.features import griffinlim, istft, mel_filters, melspectrogram, stft
from fastdis.synthesis import oscillator

N_FFT, HOP, N_MELS = 2048, 512, 128
BINS, FRAMES = 1 + N_FFT // 2, 1 + RATE // HOP
# Of a clip's peak: mel values above it are held to their relative error. Further below, what a
# float32 transform rounds tells: at 1e-5 of the peak torch and fastdis are off by 1e-4 and more.
_AUDIBLE = 1e-4
_CHECKED = 64  # clips whose float64 spectra are in memory at once

# Float32 multiply-adds a clip, if every operation were half of one: a frame of n real samples is
# transformed as n / 2 complex ones, m of which take 5 m log2(m) operations.
_TRANSFORM = FRAMES * 5 * (N_FFT // 2) * 10 // 2
_STFT = FRAMES * N_FFT + _TRANSFORM + 4 * BINS * FRAMES  # the window, and what parts the halves
MEL = _STFT + 2 * BINS * FRAMES + 2 * BINS * FRAMES  # squares, and two filters a bin
_STFT_BYTES = 8 * BINS * FRAMES

_TRANSFORM_HELD_BACK = (
    "an FFT adds more often than it multiplies, so that most of its operations are lone additions, "
    "and loads and stores all its data once a pass"
)
_STFT_HELD_BACK = _TRANSFORM_HELD_BACK + "; of the result, every line is read before it is written"


def clips(count: int) -> NDArray[np.float32]:
    """``(count, RATE)``: tones and noise in turn."""
    audio = np.random.default_rng(0).uniform(-1, 1, (count, RATE)).astype(np.float32)
    tones = grid_columns(np.arange(count // 2) * 997 % 32_000)
    audio[1::2] = oscillator(*tones, time_axis="linspace")
    return audio


def _batches(
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


def _exact_spectra(audio: NDArray[np.float32]) -> NDArray[np.complex128]:
    """The centred STFT in float64, ``(B, BINS, FRAMES)``."""
    padded = np.pad(audio.astype(np.float64), ((0, 0), (N_FFT // 2, N_FFT // 2)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT, axis=1)[:, ::HOP]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    spectra: NDArray[np.complex128] = np.fft.rfft(frames * window, axis=2).transpose(0, 2, 1)
    return spectra


def _of_peak(found: NDArray[Any], exact: NDArray[Any]) -> float:
    """The largest error of each clip over the clip's peak; the worst clip counts."""
    axes = tuple(range(1, exact.ndim))
    peak: NDArray[np.float64] = np.abs(exact).max(axis=axes)
    return float((np.abs(found - exact).max(axis=axes) / peak).max())


def _mel_error(audio: NDArray[np.float32], htk: bool) -> float:
    """The largest relative error of mel values above `_AUDIBLE` of their clip's peak."""
    filters = mel_filters(sr=RATE, n_fft=N_FFT, htk=htk).astype(np.float64)
    exact = filters @ np.abs(_exact_spectra(audio)) ** 2
    found = melspectrogram(audio, sr=RATE, htk=htk)
    audible = exact > _AUDIBLE * exact.max(axis=(1, 2), keepdims=True)
    return float((np.abs(found - exact)[audible] / exact[audible]).max())


def _check_peer(found: NDArray[Any], expected: NDArray[Any]) -> None:
    """Raise if a peer computes something else, so that no ratio compares different work."""
    error = _of_peak(found, expected)
    if not error < 1e-4:
        raise WrongPeerError(f"not timed: the peer's result is off by {error:.1e} of the peak")


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
        _check_peer(found, melspectrogram(fewer[: len(found)], sr=RATE, htk=htk))
        checked = range(0, pick(scale, 16, 256, 1024), _CHECKED)
        return max(_mel_error(audio[i : i + _CHECKED], htk) for i in checked)

    return Trial(
        _batches(ours, audio, (256, 1024)),
        contestants,
        error,
        bytes_moved=CLIP_BYTES + 4 * N_MELS * FRAMES,
        multiply_adds=MEL,
    )


def load_first() -> None:
    """Load audioFlux, if it is installed; call this before anything loads torch."""
    with suppress(ImportError):
        import audioflux  # noqa: F401


def _torch_stft() -> Callable[[Any], Any]:
    """``torch.stft`` of tensors ``(B, T)``, its window made once."""
    import torch

    window = torch.hann_window(N_FFT)

    def run(y: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return torch.stft(
                y, N_FFT, HOP, window=window, pad_mode="constant", return_complex=True
            )

    return run


def _mel_torch(scale: Scale) -> Trial:
    def peer(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
        import torch

        filters = torch.from_numpy(mel_filters(sr=RATE, n_fft=N_FFT))
        transform = _torch_stft()

        @torch.inference_mode()
        def run(y: torch.Tensor) -> torch.Tensor:
            spectra = transform(y)
            return filters @ torch.addcmul(spectra.real.square(), spectra.imag, spectra.imag)

        tensor = torch.from_numpy(audio)
        setting = f", {torch.get_num_threads()} threads"
        return _batches(run, tensor, (4, 16, 64, 256), setting), run(tensor[:4]).numpy()

    return _mel(scale, peer, pick(scale, 4, 256, 512))


def _mel_librosa(scale: Scale) -> Trial:
    def peer(audio: NDArray[np.float32]) -> tuple[list[Contestant], NDArray[Any]]:
        import librosa

        def run() -> list[NDArray[np.float32]]:
            return [librosa.feature.melspectrogram(y=y, sr=RATE) for y in audio]

        return [Contestant(run, len(audio), "1 thread")], np.stack(run())

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
        return _batches(run, tensor, (4, 16, 64), setting), run(tensor[:4]).numpy()

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
        return _batches(spectrogram, padded, (1, 16, 64)), spectrogram(padded[:4])

    return _mel(scale, peer, pick(scale, 4, 256, 512), htk=True)


def _stft_torch(scale: Scale) -> Trial:
    import torch

    audio = clips(pick(scale, 16, 512, 1024))
    run = _torch_stft()
    tensor = torch.from_numpy(audio[: pick(scale, 4, 256, 512)])
    out = stft(audio[:512])  # written again and again, as in a loop over batches

    def ours(y: NDArray[np.float32]) -> object:
        return stft(y, out=out[: len(y)])

    def error() -> float:
        some = audio[: pick(scale, 4, 32, 64)]
        found = stft(some)
        _check_peer(run(torch.from_numpy(some)).numpy(), found)
        return _of_peak(found, _exact_spectra(some))

    return Trial(
        _batches(ours, audio, (64, 512)),
        _batches(run, tensor, (4, 16, 64, 256), f", {torch.get_num_threads()} threads"),
        error,
        bytes_moved=CLIP_BYTES + _STFT_BYTES,
        multiply_adds=_STFT,
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
        _check_peer(run(tensor[:4]).numpy(), audio[:4])
        return _of_peak(istft(spectra[:32], length=RATE), audio[:32])

    return Trial(
        _batches(partial(istft, length=RATE), spectra, (64, 256)),
        _batches(run, tensor, (4, 16, 64), f", {torch.get_num_threads()} threads"),
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


_OF_VALUE = f"relative, above {_AUDIBLE:g} of peak"

ROWS = (
    Row(
        "melspectrogram 2048/512/128", "torch.stft and a filter matrix", _mel_torch, 10, 1e-4,
        _OF_VALUE, needs="torch", held_back=_TRANSFORM_HELD_BACK,
    ),
    Row(
        "melspectrogram 2048/512/128", "librosa, a clip at a time", _mel_librosa, 60, 1e-4,
        _OF_VALUE, needs="librosa", held_back=_TRANSFORM_HELD_BACK,
    ),
    Row(
        "melspectrogram 2048/512/128", "nnAudio", _mel_nnaudio, 12, 1e-4,
        _OF_VALUE, needs="nnAudio", held_back=_TRANSFORM_HELD_BACK,
    ),
    Row(
        "melspectrogram 2048/512/128, HTK scale", "audioFlux", _mel_audioflux, 12, 1e-4,
        _OF_VALUE, needs="audioflux", held_back=_TRANSFORM_HELD_BACK,
    ),
    Row(
        "stft, complex out", "torch.stft", _stft_torch, 3, 1e-5,
        needs="torch", held_back=_STFT_HELD_BACK,
    ),
    Row(
        "istft", "torch.istft", _istft_torch, None, 1e-5,
        needs="torch", held_back=_STFT_HELD_BACK,
    ),
    Row(
        "Griffin-Lim, 32 iterations", "librosa, a clip at a time", _griffinlim, None, 1e-2,
        "of the convergence", needs="librosa", held_back=_TRANSFORM_HELD_BACK,
    ),
)  # fmt: skip
