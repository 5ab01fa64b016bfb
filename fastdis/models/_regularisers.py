"""Batch normalisation and dropout that give the same result however a model is trained.

Alone, on threads beside other models, or in a stack; after a stop; in any memory format: they are
functions of the weights and buffers of the model and of the batch, and of nothing else.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from fastdis import _validation

_BITS = 32
_ALL = (1 << _BITS) - 1


class BatchNorm(nn.Module):
    """Batch normalisation of each channel of ``(B, C, ...)`` (Ioffe and Szegedy 2015).

    As ``torch.nn.BatchNorm2d``: training normalises by the batch and keeps running statistics,
    which evaluation normalises by. A batch with a single value per channel (one clip, a map of one
    cell) has no variance: it is normalised by the running statistics, and leaves them alone.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        several = self.training and x.shape[0] * math.prod(x.shape[2:]) > 1
        return functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, several,
            self.momentum, self.eps,
        )  # fmt: skip


class ChannelDropout(nn.Module):
    """Dropout of whole channels of ``(B, C, ...)`` (Tompson et al. 2015).

    Neighbours in a map are correlated, so that dropping single values would remove little. A hash
    decides which channels are dropped: of a key, drawn once from torch's generator, of the number
    of the pass, and of the place in the batch. Key and number are buffers, saved with the weights.

    Parameters
    ----------
    share
        Share of the channels that are dropped, in [0, 1); the others are divided by ``1 - share``.

    Raises
    ------
    TypeError, ValueError
        If ``share`` is not a number in this range.
    """

    key: Tensor
    passes: Tensor

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = _validation.number("dropout", share, minimum=0.0)
        if self.share >= 1.0:
            raise ValueError(f"dropout takes a number >= 0 and < 1, got {self.share:g}")
        if self.share > 0.0:
            self.register_buffer("key", torch.randint(2**31 - 1, (), dtype=torch.int32))
            self.register_buffer("passes", torch.zeros((), dtype=torch.int32))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        if not self.training or self.share == 0.0:
            return x
        self.passes.add_(1)
        state = _mixed(self.key.long() + self.passes)
        places = torch.arange(x.shape[0] * x.shape[1], device=x.device).view(x.shape[:2])
        kept = _mixed(state + places) >= round(self.share * 2**_BITS)
        scale = kept.to(x.dtype) / (1.0 - self.share)
        dropped: Tensor = x * scale.view(*x.shape[:2], *[1] * (x.dim() - 2))
        return dropped


def _mixed(values: Tensor) -> Tensor:
    """Non-negative int64 -> 32 bits each of which depends on all of the low 32 (by Mueller).

    No product reaches 2**63: signed overflow is undefined.
    """
    values = values & _ALL
    for _ in range(2):
        values = ((values ^ (values >> 16)) * 0x45D9F3B) & _ALL
    return values ^ (values >> 16)
