"""The base class of VAEs: checks of sizes, the bounded posterior, its sampling."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fastdis import _validation

# Wide enough never to bind in a healthy run, narrow enough that exp() stays finite in float32.
LOGVAR_RANGE = (-30.0, 20.0)
OUTPUTS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "linear": nn.Identity}


def sizes(name: str, values: Any, fewest: int = 1) -> tuple[int, ...]:
    """``values`` as positive ints, at least ``fewest`` of them.

    Raises
    ------
    TypeError, ValueError
        If ``values`` is no sequence, too short, or holds something else than positive integers.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name} takes a sequence of sizes, got {_validation.describe(values)}")
    result = tuple(_validation.integer(name, value) for value in values)
    if len(result) < fewest:
        raise ValueError(f"{name} takes at least one size, got none")
    return result


def output_layer(output: str) -> nn.Module:
    """The last layer of a decoder, for a mean in (0, 1), in (-1, 1), or of any size.

    Raises
    ------
    TypeError, ValueError
        If ``output`` is unknown.
    """
    return OUTPUTS[_validation.choice("output", output, OUTPUTS)]()


class VAE(nn.Module):
    """An encoder to a Gaussian posterior, and a decoder to the mean of p(x|z).

    A subclass defines ``_posterior``, ``decode`` and ``_own_options``, and is built by its
    registered name: :func:`fastdis.models.build`.

    Parameters
    ----------
    latent_dim
        Size D of the code.
    input_shape
        ``(C, F, frames)`` of one input.

    Raises
    ------
    TypeError, ValueError
        If a size is not a positive integer, or ``input_shape`` has not three of them.
    """

    name: str

    def __init__(self, latent_dim: int, input_shape: Sequence[int]) -> None:
        super().__init__()
        self.latent_dim = _validation.integer("latent_dim", latent_dim)
        self.input_shape = tuple(_validation.integer("input_shape", n) for n in input_shape)
        if len(self.input_shape) != 3:
            raise ValueError(f"input_shape takes (C, F, frames), got {self.input_shape}")

    def options(self) -> dict[str, Any]:
        """Plain values from which :func:`fastdis.models.build` makes the same architecture."""
        return {
            "name": self.name,
            "latent_dim": self.latent_dim,
            "input_shape": list(self.input_shape),
            **self._own_options(),
        }

    @abstractmethod
    def _own_options(self) -> dict[str, Any]:
        """The options of this class alone, as plain values."""

    @abstractmethod
    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, C, F, frames)`` -> mean and log-variance of q(z|x), each ``(B, D)``."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """``(B, D)`` -> the mean of p(x|z), ``(B, C, F, frames)``."""

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, C, F, frames)`` -> mean and bounded log-variance of q(z|x), each ``(B, D)``.

        Raises
        ------
        ValueError
            If ``x`` has another shape than ``input_shape``.
        """
        if tuple(x.shape[1:]) != self.input_shape:
            raise ValueError(
                f"x takes shape (B, {', '.join(map(str, self.input_shape))}), got {tuple(x.shape)}"
            )
        mean, logvar = self._posterior(x)
        return mean, logvar.clamp(*LOGVAR_RANGE)

    def sample(self, mean: Tensor, logvar: Tensor, noise: Tensor | None = None) -> Tensor:
        """One draw of q(z|x), ``(B, D)``, by the reparameterisation z = mean + std * noise.

        The noise is standard normal ``(B, D)``; drawn from torch's generator by default.
        """
        noise = torch.randn_like(mean) if noise is None else noise
        return mean + noise * torch.exp(0.5 * logvar)

    def forward(
        self, x: Tensor, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """``x`` -> ``(x_hat, mean, logvar, z)`` with ``z`` sampled by ``noise``."""
        mean, logvar = self.encode(x)
        z = self.sample(mean, logvar, noise)
        return self.decode(z), mean, logvar, z
