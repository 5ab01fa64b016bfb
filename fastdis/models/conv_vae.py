"""The convolutional VAE of SynTone: convolution and pooling down, transposed convolution up.

Brima, Krumnack, Pika and Heidemann, "Learning Disentangled Audio Representations through
Controlled Synthesis" (2024), appendix A.2 and its reference code.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from fastdis import _validation
from fastdis.models.vae import VAE

NEGATIVE_SLOPE = 0.01


class ConvVAE(VAE):
    """A VAE of 3x3 convolutions with leaky ReLU (slope 0.01), no batch norm, sigmoid output.

    Each encoder layer convolves (padding 1) and halves both axes by max-pooling; two linear
    layers lead to the mean and the log-variance. The decoder mirrors it with stride-2
    transposed convolutions, so its input must be divisible by ``2 ** len(channels)``.

    Parameters
    ----------
    latent_dim
        Size D of the code.
    input_shape
        ``(C, F, frames)`` of one input.
    channels
        Output channels of each convolution.
    hidden
        Widths of the two linear layers between the convolutions and the code.

    Raises
    ------
    TypeError, ValueError
        If a size is not a positive integer, or ``input_shape`` cannot be halved often enough.
    """

    name = "conv3"

    def __init__(
        self,
        latent_dim: int,
        input_shape: Sequence[int],
        *,
        channels: Sequence[int] = (16, 32, 64),
        hidden: Sequence[int] = (128, 64),
    ) -> None:
        super().__init__(latent_dim, input_shape)
        self.channels = tuple(_validation.integer("channels", n) for n in channels)
        self.hidden = tuple(_validation.integer("hidden", n) for n in hidden)
        if not self.channels or not self.hidden:
            raise ValueError("channels and hidden take at least one size each, got none")
        factor = 2 ** len(self.channels)
        if any(n % factor for n in self.input_shape[1:]):
            raise ValueError(
                f"input_shape takes (C, F, frames) with F and frames divisible by {factor} "
                f"for {len(self.channels)} layers, got {self.input_shape}"
            )
        bottom = (self.channels[-1], self.input_shape[1] // factor, self.input_shape[2] // factor)
        flat = bottom[0] * bottom[1] * bottom[2]

        self.encoder = nn.Sequential(
            *_convolutions((self.input_shape[0], *self.channels)),
            nn.Flatten(),
            *_linears((flat, *self.hidden)),
        )
        self.mean = nn.Linear(self.hidden[-1], self.latent_dim)
        self.logvar = nn.Linear(self.hidden[-1], self.latent_dim)
        self.decoder = nn.Sequential(
            *_linears((self.latent_dim, *self.hidden[::-1], flat)),
            nn.Unflatten(1, bottom),
            *_transposed_convolutions((*self.channels[::-1], self.input_shape[0])),
            nn.Sigmoid(),
        )

    def _own_options(self) -> dict[str, Any]:
        return {"channels": list(self.channels), "hidden": list(self.hidden)}

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(x)
        return self.mean(hidden), self.logvar(hidden)

    def decode(self, z: Tensor) -> Tensor:
        """``(B, D)`` -> the mean of p(x|z), ``(B, C, F, frames)`` in (0, 1)."""
        x_hat: Tensor = self.decoder(z)
        return x_hat


def _convolutions(channels: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(channels):
        # Pooling first: leaky ReLU is monotone, so the two commute, and it then runs on a quarter.
        layers += [
            nn.Conv2d(n_in, n_out, 3, padding=1),
            nn.MaxPool2d(2),
            nn.LeakyReLU(NEGATIVE_SLOPE),
        ]
    return layers


def _transposed_convolutions(channels: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(channels):
        layers += [
            nn.ConvTranspose2d(n_in, n_out, 3, stride=2, padding=1, output_padding=1),
            nn.LeakyReLU(NEGATIVE_SLOPE),
        ]
    return layers[:-1]  # the sigmoid follows the last one


def _linears(widths: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.LeakyReLU(NEGATIVE_SLOPE)]
    return layers
