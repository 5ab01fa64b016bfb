"""The convolutional VAE of the additive toy report: two convolutions, batch norm, dropout, ReLU.

Bedoya, Grumiaux, Najnudel, Raibaud and Wetzel, "Disentangling variation factors in audio samples",
section 4.2; the net of its MNIST figures.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from fastdis.models._regularisers import BatchNorm, ChannelDropout
from fastdis.models.mlp_vae import dense
from fastdis.models.vae import VAE, output_layer, sizes


class CNNVAE(VAE):
    """A VAE of 3x3 convolutions, each with batch normalisation, dropout of channels and ReLU.

    Each convolution halves F and frames (an odd size is rounded up; an axis of one cell stays, and
    has a kernel of one cell); dense layers with ReLU lead on to the code. The decoder mirrors it by
    transposed convolutions that end at exactly the sizes that the encoder came from, so any
    ``input_shape`` will do.

    Parameters
    ----------
    latent_dim
        Size D of the code.
    input_shape
        ``(C, F, frames)`` of one input.
    channels
        Output channels of each convolution.
    hidden
        Widths of the dense layers between the convolutions and the code.
    dropout
        Share of the channels that are dropped, in [0, 1).
    output
        ``"sigmoid"`` for features in [0, 1], ``"tanh"`` for waveforms, or ``"linear"``.

    Raises
    ------
    TypeError, ValueError
        If a size is not a positive integer, ``channels`` or ``hidden`` is empty, ``dropout`` is out
        of range, or ``output`` is unknown.

    Examples
    --------
    >>> import torch
    >>> model = CNNVAE(4, (1, 129, 16))
    >>> [tuple(part.shape) for part in model(torch.rand(2, 1, 129, 16))]
    [(2, 1, 129, 16), (2, 4), (2, 4), (2, 4)]
    """

    name = "cnn"

    def __init__(
        self, latent_dim: int, input_shape: Sequence[int], *, channels: Sequence[int] = (16, 32),
        hidden: Sequence[int] = (128,), dropout: float = 0.1, output: str = "sigmoid",
    ) -> None:  # fmt: skip
        super().__init__(latent_dim, input_shape)
        self.channels, self.hidden = sizes("channels", channels), sizes("hidden", hidden)
        self.dropout, self.output = ChannelDropout(dropout).share, output
        maps = [self.input_shape[1:]]
        for _ in self.channels:
            maps.append(tuple(-(-size // 2) for size in maps[-1]))
        bottom = (self.channels[-1], *maps[-1])
        widths = (math.prod(bottom), *self.hidden)

        layers: list[nn.Module] = []
        for (n_in, n_out), size in zip(
            itertools.pairwise((self.input_shape[0], *self.channels)), maps, strict=False
        ):
            # Batch norm takes any bias away.
            layers += [nn.Conv2d(n_in, n_out, **_halving(size), bias=False), *self._after(n_out)]
        self.encoder = nn.Sequential(*layers, nn.Flatten(), *dense(widths))
        self.mean = nn.Linear(self.hidden[-1], self.latent_dim)
        self.logvar = nn.Linear(self.hidden[-1], self.latent_dim)

        layers = []
        for (n_in, n_out), size in zip(
            itertools.pairwise(self.channels[::-1]), maps[-2:0:-1], strict=True
        ):
            layers += [_doubling(n_in, n_out, size, bias=False), *self._after(n_out)]
        self.decoder = nn.Sequential(
            *dense((self.latent_dim, *widths[::-1])),
            nn.Unflatten(1, bottom),
            *layers,
            _doubling(self.channels[0], self.input_shape[0], maps[0], bias=True),
            output_layer(output),
        )

    def _after(self, channels: int) -> list[nn.Module]:
        return [BatchNorm(channels), ChannelDropout(self.dropout), nn.ReLU()]

    def _own_options(self) -> dict[str, Any]:
        options = {"dropout": self.dropout, "output": self.output}
        return {"channels": list(self.channels), "hidden": list(self.hidden), **options}

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(x)
        return self.mean(hidden), self.logvar(hidden)

    def decode(self, z: Tensor) -> Tensor:
        """``(B, D)`` -> the mean of p(x|z), ``(B, C, F, frames)``."""
        x_hat: Tensor = self.decoder(z)
        return x_hat


def _halving(size: Sequence[int]) -> dict[str, Any]:
    """Kernel, stride and padding of a convolution from ``size`` to half of it, rounded up."""
    halved = tuple(int(n > 1) for n in size)
    return {
        "kernel_size": tuple(1 + 2 * each for each in halved),
        "stride": tuple(1 + each for each in halved),
        "padding": halved,
    }


def _doubling(n_in: int, n_out: int, size: Sequence[int], *, bias: bool) -> nn.Module:
    """The transpose of :func:`_halving`: from half of ``size``, rounded up, to ``size``."""
    geometry = _halving(size)
    # Of n cells and stride 2 it makes 2 n - 1, and as many more as are missing.
    missing = tuple((n - 1) % stride for n, stride in zip(size, geometry["stride"], strict=True))
    return nn.ConvTranspose2d(n_in, n_out, **geometry, output_padding=missing, bias=bias)
