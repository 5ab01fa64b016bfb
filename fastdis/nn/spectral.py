"""STFT and mel spectrogram as modules: pad, cut into frames, window, real FFT, filters.

X[k, f] = sum_i w[i] y[f hop - n_fft // 2 + i] exp(-2j pi i k / n_fft)
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from fastdis import _validation
from fastdis.features import mel_filterbank
from fastdis.features.framing import Window, framing
from fastdis.nn._tensors import Module, clips, in_chunks, product


class _Framed(Module):
    """Checked framing parameters, and the spectra of framed clips."""

    window: Tensor

    def __init__(
        self,
        n_fft: int,
        hop_length: int | None,
        win_length: int | None,
        window: Window,
        center: bool,
        pad_mode: str,
    ) -> None:
        super().__init__()
        self.framing = framing(n_fft, hop_length, win_length, window, center, pad_mode)
        self.register_buffer("window", torch.tensor(self.framing.taps), persistent=False)

    def _spectra(self, y: Tensor) -> Tensor:
        """``(B, T)`` to ``(B, frames, F)``: frames before frequencies, as they are computed."""
        frame = self.framing
        if frame.center:
            y = pad_ends(y, frame.pad, frame.pad_mode)
        spectra: Tensor = torch.fft.rfft(y.unfold(-1, frame.n_fft, frame.hop) * self.window)
        return spectra

    def _frame_bytes(self) -> int:
        """Of the windowed samples and the spectrum of a frame."""
        return 4 * self.framing.n_fft + 8 * self.framing.bins

    def extra_repr(self) -> str:
        frame = self.framing
        return (
            f"n_fft={frame.n_fft}, hop_length={frame.hop}, center={frame.center}, "
            f"pad_mode={frame.pad_mode!r}"
        )


class STFT(_Framed):
    """Short-time Fourier transform: :func:`fastdis.features.stft` as a module.

    Differentiable in ``y``.

    Parameters
    ----------
    n_fft, hop_length, win_length, window, center, pad_mode
        As in :func:`fastdis.features.stft`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> STFT(n_fft=512)(torch.zeros(3, 16000)).shape
    torch.Size([3, 257, 126])
    """

    def __init__(
        self,
        *,
        n_fft: int = 2048,
        hop_length: int | None = None,
        win_length: int | None = None,
        window: Window = "hann",
        center: bool = True,
        pad_mode: str = "constant",
    ) -> None:
        super().__init__(n_fft, hop_length, win_length, window, center, pad_mode)

    def forward(self, y: Tensor) -> Tensor:
        """Spectra of ``y``.

        Parameters
        ----------
        y : tensor, shape (T,) or (B, T)
            Floating-point audio, full scale in [-1, 1], on the module's device.

        Returns
        -------
        tensor of complex64, shape (F, frames) or (B, F, frames)
            Within 1e-6 of each frame's peak.

        Raises
        ------
        TypeError, ValueError
            If ``y`` is not a tensor of floating-point audio, is on another device, empty, or too
            short for ``center=False`` or for ``pad_mode``.
        """
        audio, single = clips("y", y, self.window.device)
        frames = self.framing.frames(audio.shape[1])
        clip_bytes = frames * self._frame_bytes()
        result = in_chunks(
            lambda part: self._spectra(part).transpose(1, 2),
            (audio,),
            (len(audio), self.framing.bins, frames),
            torch.complex64,
            (clip_bytes, 3 * clip_bytes),
        )
        return result[0] if single else result


class MelSpectrogram(_Framed):
    """Mel spectrogram: :func:`fastdis.features.melspectrogram` as a module.

    Differentiable in ``y``; where a magnitude is zero, its gradient is taken as zero. Batches are
    worked through in chunks of whole clips, so that the memory beyond input and output stays below
    1 GB for clips of up to 5 million samples with the default framing. One clip takes about ``24
    n_fft / hop_length`` bytes per sample, half that where no gradient is needed.

    Parameters
    ----------
    sr : float
        Sampling rate in Hz.
    n_fft, hop_length, win_length, window, center, pad_mode
        As in :func:`fastdis.features.stft`.
    power : float
        2 for energy, 1 for magnitude.
    n_mels, fmin, fmax, htk, norm
        As in :func:`fastdis.features.mel_filters`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range.

    Warns
    -----
    UserWarning
        If filters are so narrow that they hold no frequency bin.

    Examples
    --------
    >>> MelSpectrogram(sr=16000)(torch.zeros(2, 16000)).shape
    torch.Size([2, 128, 32])
    """

    filters: Tensor

    def __init__(
        self,
        *,
        sr: float = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        win_length: int | None = None,
        window: Window = "hann",
        center: bool = True,
        pad_mode: str = "constant",
        power: float = 2.0,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        htk: bool = False,
        norm: str | float | None = "slaney",
    ) -> None:
        super().__init__(n_fft, hop_length, win_length, window, center, pad_mode)
        self.power = _validation.number("power", power, above=0)
        bank = mel_filterbank.filters(sr, self.framing.n_fft, n_mels, fmin, fmax, htk, norm)
        self.register_buffer("filters", torch.tensor(bank.dense), persistent=False)

    def forward(self, y: Tensor) -> Tensor:
        """Mel spectrograms of ``y``.

        Parameters
        ----------
        y : tensor, shape (T,) or (B, T)
            Floating-point audio, full scale in [-1, 1], on the module's device.

        Returns
        -------
        tensor of float32, shape (n_mels, frames) or (B, n_mels, frames)
            Within 1e-6 of each frame's largest value; matrix products are taken in full
            precision even where TF32 is allowed.

        Raises
        ------
        TypeError, ValueError
            As :meth:`STFT.forward`.
        """
        audio, single = clips("y", y, self.window.device)
        frames = self.framing.frames(audio.shape[1])
        clip_bytes = frames * (self._frame_bytes() + 8 * self.framing.bins)
        result = in_chunks(
            self._mels,
            (audio,),
            (len(audio), len(self.filters), frames),
            torch.float32,
            (clip_bytes, 2 * clip_bytes),
        )
        return result[0] if single else result

    def _mels(self, y: Tensor) -> Tensor:
        spectra = self._spectra(y)
        energy = spectra.real.square() + spectra.imag.square()
        if self.power != 2:
            silent = energy == 0  # where the root has no finite slope
            energy = energy.masked_fill(silent, 1).pow(self.power / 2).masked_fill(silent, 0)
        return product(energy, self.filters.T).transpose(1, 2)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, power={self.power:g}, n_mels={len(self.filters)}"


def pad_ends(y: Tensor, pad: int, mode: str) -> Tensor:
    """``numpy.pad`` of the last axis by ``pad`` on either side."""
    if mode == "constant":
        return functional.pad(y, (pad, pad))
    if mode == "reflect":
        left, right = y[:, 1 : pad + 1].flip(-1), y[:, -pad - 1 : -1].flip(-1)
    elif mode == "symmetric":
        left, right = y[:, :pad].flip(-1), y[:, -pad:].flip(-1)
    else:
        left, right = y[:, :1].expand(-1, pad), y[:, -1:].expand(-1, pad)
    if mode == "linear_ramp":
        ramp = torch.arange(pad, dtype=y.dtype, device=y.device) / pad
        left, right = left * ramp, right * ramp.flip(0)
    return torch.cat([left, y, right], dim=-1)
