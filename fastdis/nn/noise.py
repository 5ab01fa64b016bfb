"""Noise at an exact signal-to-noise ratio as a module, the same stream on every device.

Philox 4x32-10 (Salmon et al., SC 2011), its 32-bit words in int64, whose products wrap as the
unsigned ones do; normals by the Box-Muller transform.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from fastdis import _validation
from fastdis.nn._tensors import Module, clips, from_host, in_chunks, integers, real
from fastdis.synthesis.noise import ratio_column

_WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_SAMPLE_BYTES = 64  # of temporaries
_LOWEST = -20 * math.log10(_validation.LOUDEST)  # dB; the loudest noise for a clip of level 1
_LANES = 16  # word w of counter 16 g + c is sample 64 g + 16 w + c


def philox(key: int, counter: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The four words of each counter (four words, int64) under a 64-bit key."""
    c0, c1, c2, c3 = counter
    k0, k1 = key & _WORD, key >> 32
    for _ in range(_ROUNDS):
        a, b = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1 = ((b >> 32) & _WORD) ^ c1 ^ k0, b & _WORD
        c2, c3 = ((a >> 32) & _WORD) ^ c3 ^ k1, a & _WORD
        k0, k1 = (k0 + _WEYL[0]) & _WORD, (k1 + _WEYL[1]) & _WORD
    return c0, c1, c2, c3


def normals(key: int, index: Tensor, samples: int) -> Tensor:
    """The first ``samples`` normals of the streams ``index (B,)``, int64 as its bits are."""
    groups = -(-samples // (4 * _LANES))
    j = torch.arange(groups * _LANES, device=index.device).view(groups, _LANES)
    low, high = ((index >> shift & _WORD)[:, None, None] for shift in (0, 32))
    words = philox(key, (j, torch.zeros_like(j), low, high))
    parts = [*_box_muller(words[0], words[1]), *_box_muller(words[2], words[3])]
    return torch.stack(parts, dim=-2).flatten(1)[:, :samples]


def _box_muller(even: Tensor, odd: Tensor) -> tuple[Tensor, Tensor]:
    """Two normals from two words; both steps to float32 are exact."""
    u = ((even >> 9).float() + 0.5) * 2.0**-23
    signed = (odd ^ 0x80000000) - 0x80000000
    angle = (signed >> 8).float() * (math.pi * 2.0**-23)
    radius = torch.sqrt(-2 * torch.log(u))
    return radius * torch.cos(angle), radius * torch.sin(angle)


class Noise(Module):
    """White normal noise at an exact ratio: :func:`fastdis.synthesis.add_noise` as a module.

    Differentiable in ``audio`` and ``snr_db``.

    Parameters
    ----------
    seed : int
        From 0 to 2^64 - 1; the key of the stream.

    Raises
    ------
    TypeError, ValueError
        If ``seed`` is no such integer.

    Examples
    --------
    >>> audio = torch.sin(torch.arange(16000) / 9)
    >>> noise = Noise(seed=0)(audio, 20.0) - audio
    >>> round(float(10 * torch.log10(audio.square().mean() / noise.square().mean())), 3)
    20.0
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = _validation.integer("seed", seed, 0, 2**64 - 1)

    def forward(
        self,
        audio: Tensor,
        snr_db: ArrayLike | Tensor,
        index: ArrayLike | Tensor | None = None,
    ) -> Tensor:
        """``audio`` with noise of its own for every clip.

        Parameters
        ----------
        audio : tensor, shape (T,) or (B, T)
            Floating-point audio, full scale in [-1, 1]. A silent clip stays silent.
        snr_db : number, array or tensor [shape=(B,)]
            The clip's power over the noise's, in dB; infinity adds none. Numbers and arrays are
            taken from -600 dB on, so that noise of audio up to full scale is at most 1e30. A
            tensor's values are not looked at: NaN, negative infinity and ratios whose noise
            float32 does not hold give NaN or infinities.
        index : int, integers or int64 tensor [shape=(B,)], optional
            Which stream each clip gets, from 0 to 2^64 - 1, whatever its batch and device; a
            tensor's negative values are those integers less 2^64. By default the row in the batch.

        Returns
        -------
        tensor of float32, shape (T,) or (B, T)
            The words of the stream are those of the CPU kernel to the last bit, the normals
            within 2e-6.

        Raises
        ------
        TypeError, ValueError
            If ``audio`` is not a tensor of floating-point audio or is empty; if ``snr_db`` or
            ``index`` is of the wrong kind or length, or, given as a number or an array, out of
            its range.
        """
        clean, single = clips("audio", audio)
        batch, samples = clean.shape
        ratio = self._ratio(snr_db, batch, clean.device)
        stream = self._index(index, batch, clean.device)
        size = _SAMPLE_BYTES * samples
        result = in_chunks(
            self._noisy, (clean, ratio, stream), clean.shape, torch.float32, (size, size)
        )
        return result[0] if single else result

    def _noisy(self, audio: Tensor, snr_db: Tensor, index: Tensor) -> Tensor:
        with torch.no_grad():
            noise = normals(self.seed, index, audio.shape[1])
            loudness = _norm(noise)
        # Norms, not powers: the gradient of a norm is finite where the clip is silent.
        scale = _norm(audio) / loudness * 10 ** (snr_db[:, None] / -20)
        return torch.addcmul(audio, scale.float(), noise)

    def _ratio(self, snr_db: ArrayLike | Tensor, batch: int, device: torch.device) -> Tensor:
        if isinstance(snr_db, Tensor):
            return _column("snr_db", real("snr_db", snr_db, (0, 1), device), batch)
        return from_host(ratio_column(snr_db, batch, _LOWEST), device)

    def _index(self, index: ArrayLike | Tensor | None, batch: int, device: torch.device) -> Tensor:
        if index is None:
            return torch.arange(batch, device=device)
        if not isinstance(index, Tensor):
            words = _validation.unsigned("index", index).view(np.int64)
            return _column("index", from_host(words, device), batch)
        return _column("index", integers("index", index, device), batch)

    def extra_repr(self) -> str:
        return f"seed={self.seed}"


def _norm(signal: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(signal, dim=-1, keepdim=True, dtype=torch.float64)
    return norm


def _column(name: str, values: Tensor, batch: int) -> Tensor:
    """One value a clip, or one number for all, as ``(B,)``."""
    if values.ndim == 1 and len(values) != batch:
        raise ValueError(f"{name} takes one value a clip, {batch} of them, got {len(values)}")
    return values.expand(batch)
