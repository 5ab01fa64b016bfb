"""The constant-Q transform as a module: real FFT, filters, fold, inverse FFT.

C[k, m] = 1/N sum_f W_k[f] Y[f] exp(2j pi f m / L): a matrix product for each residue of f modulo L.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fastdis import _memory
from fastdis._validation import choice
from fastdis.features.constant_q.filters import FilterWindow
from fastdis.features.constant_q.plan import ConstantQ, ConstantQSettings
from fastdis.features.constant_q.transform import Analysis, analysis_of
from fastdis.features.framing import PAD_MODES
from fastdis.nn._tensors import Module, clips, from_host, in_chunks, product
from fastdis.nn.spectral import pad_ends

_LENGTHS = 4  # of clips whose filters are kept


class CQT(Module):
    """Constant-Q transform: :func:`fastdis.features.cqt` as a module.

    Differentiable in ``y``. The filters are computed for each new length of clips, and kept for
    the last four; they take ``2 n_bins`` bytes per sample of a clip, up to 65,536 samples of it.

    Parameters
    ----------
    sr, hop_length, fmin, n_bins, bins_per_octave, tuning
        As in :func:`fastdis.features.cqt`.
    filter_scale, norm, window, scale, pad_mode
        As in :func:`fastdis.features.cqt`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> CQT(sr=16000, n_bins=60)(torch.zeros(3, 16000)).shape
    torch.Size([3, 60, 32])
    """

    frequencies: Tensor

    def __init__(
        self,
        *,
        sr: float = 22050,
        hop_length: int = 512,
        fmin: float | None = None,
        n_bins: int = 84,
        bins_per_octave: int = 12,
        tuning: float = 0.0,
        filter_scale: float = 1.0,
        norm: float | None = 1,
        window: FilterWindow = "hann",
        scale: bool = True,
        pad_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.settings = ConstantQSettings(
            sr=sr, hop_length=hop_length, fmin=fmin, n_bins=n_bins, bins_per_octave=bins_per_octave,
            tuning=tuning, filter_scale=filter_scale, norm=norm, window=window, scale=scale,
        )  # fmt: skip
        self.pad_mode = choice("pad_mode", pad_mode, PAD_MODES)
        plan = analysis_of(self.settings, 1, "constant").plan  # the filters are checked
        self.register_buffer("frequencies", torch.tensor(plan.frequencies), persistent=False)
        self._filters: OrderedDict[tuple[ConstantQ, torch.device], Tensor] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        """All but the filters, which belong to lengths of clips met so far."""
        return self.__dict__ | {"_filters": OrderedDict()}

    def forward(self, y: Tensor) -> Tensor:
        """Constant-Q transforms of ``y``.

        Parameters
        ----------
        y : tensor, shape (T,) or (B, T)
            Floating-point audio, full scale in [-1, 1], on the module's device.

        Returns
        -------
        tensor of complex64, shape (n_bins, frames) or (B, n_bins, frames)
            Within 2e-6 of the clip's peak of :func:`fastdis.features.cqt`; matrix products are
            taken in full precision even where TF32 is allowed.

        Raises
        ------
        TypeError, ValueError
            If ``y`` is not a tensor of floating-point audio, is on another device, empty, or too
            short for ``pad_mode``.
        MemoryError
            If there is no room for the filters.
        """
        audio, single = clips("y", y, self.frequencies.device)
        analysis = analysis_of(self.settings, audio.shape[1], self.pad_mode)
        plan, filters = analysis.plan, self._filters_of(analysis.plan)
        block_bytes = 12 * plan.period + 16 * filters[:, 0].numel() + 24 * plan.bins * plan.folded
        clip_bytes = analysis.blocks * block_bytes
        result = in_chunks(
            lambda part: self._frames(part, analysis, filters),
            (audio,),
            (len(audio), plan.bins, analysis.frames),
            torch.complex64,
            (clip_bytes, 2 * clip_bytes),
        )
        return result[0] if single else result

    def _filters_of(self, plan: ConstantQ) -> Tensor:
        """``W_k[r + L q] / N`` as ``(L, K, Q)``."""
        key = (plan, self.frequencies.device)
        if key not in self._filters:
            folds = -(-plan.lines // plan.folded)
            need = 12 * plan.bins * folds * plan.folded
            _memory.require("CQT, for its filters,", need, "take fewer bins or a larger hop")
            dense = np.zeros((plan.bins, folds * plan.folded), np.float32)
            for k, first in enumerate(plan.first):
                weight = plan.weight[plan.offset[k] : plan.offset[k + 1]]
                dense[k, first : first + len(weight)] = weight / plan.period
            by_residue = dense.reshape(plan.bins, folds, plan.folded).transpose(2, 0, 1)
            self._filters[key] = from_host(np.ascontiguousarray(by_residue), key[1])
            if len(self._filters) > _LENGTHS:
                self._filters.popitem(last=False)
        self._filters.move_to_end(key)
        return self._filters[key]

    def _frames(self, y: Tensor, analysis: Analysis, filters: Tensor) -> Tensor:
        plan = analysis.plan
        folded, folds = filters.shape[0], filters.shape[2]
        spectra = torch.fft.rfft(self._periods(y, analysis))[:, : plan.lines]
        rest = folded * folds - plan.lines
        lines = functional.pad(torch.view_as_real(spectra), (0, 0, 0, rest))
        by_residue = lines.reshape(-1, folds, folded, 2).permute(2, 1, 0, 3).flatten(2)
        products = product(filters, by_residue).reshape(folded, plan.bins, -1, 2)
        by_block = torch.view_as_complex(products.permute(2, 1, 0, 3).contiguous())
        frames = torch.fft.ifft(by_block, norm="forward")[..., : plan.frames]
        blocks = frames.reshape(len(y), analysis.blocks, plan.bins, plan.frames).transpose(1, 2)
        result: Tensor = blocks.flatten(2)[..., : analysis.frames]
        return result

    def _periods(self, y: Tensor, analysis: Analysis) -> Tensor:
        """Blocks ``(B blocks, N)``; what precedes one stands at the end of its period."""
        plan, reach = analysis.plan, analysis.plan.reach
        if not plan.padded:
            return functional.pad(y, (0, plan.period - y.shape[1]))
        if self.pad_mode == "constant":
            y = functional.pad(y, (reach, reach + 1))
        else:
            after = pad_ends(y, reach + 1, self.pad_mode)[:, -reach - 1 :]
            y = torch.cat([pad_ends(y, reach, self.pad_mode)[:, :reach], y, after], dim=1)
        span, step = plan.samples + 2 * reach + 1, plan.frames * plan.hop
        y = functional.pad(y, (0, (analysis.blocks - 1) * step + span - y.shape[1]))
        blocks = y.unfold(1, span, step).flatten(0, 1)
        return functional.pad(blocks, (0, plan.period - span)).roll(-reach, 1)

    def extra_repr(self) -> str:
        settings = self.settings
        return (
            f"sr={settings.sr:g}, hop_length={settings.hop_length}, n_bins={settings.n_bins}, "
            f"bins_per_octave={settings.bins_per_octave}, pad_mode={self.pad_mode!r}"
        )
