"""Objectives that match q(z), the codes of all clips, to the prior: DIP-VAE I and II, InfoVAE."""

from __future__ import annotations

import math
from typing import Any, Unpack

import torch
from torch import Tensor

from fastdis.objectives.base import at_least_float32, enough
from fastdis.objectives.divergences import squared_mmd
from fastdis.objectives.elbo import ELBO, Shared


def covariance(values: Tensor) -> Tensor:
    """Of ``(B, D)`` over the batch, ``(D, D)``, divided by B >= 2, in float32 at least.

    Raises
    ------
    ValueError
        If there are fewer than 2 items.
    """
    enough(len(values), 2)
    centred = at_least_float32(values) - at_least_float32(values).mean(dim=0)
    # Not a matrix product, which autocast would make bfloat16.
    return (centred[:, :, None] * centred[:, None, :]).mean(dim=0)


class DIPVAE(ELBO):
    """Reconstruction + KL + lambda_od sum of Cov_ij^2, i != j, + lambda_d sum of (Cov_ii - 1)^2.

    Kumar et al. (2018), eq. 5 to 7. The covariance is the whole batch's, divided by its size as in
    disentanglement_lib. A schedule and free bits are of the KL alone.
    """

    smallest_batch = 2
    lambda_od: Tensor
    lambda_d: Tensor

    def __init__(
        self, name: str, protocol: str, lambda_od: float, lambda_d: float, shared: Shared
    ) -> None:
        super().__init__(name, protocol, shared)
        self._weight("lambda_od", lambda_od)
        self._weight("lambda_d", lambda_d)

    def _covariance(self, mean: Tensor, logvar: Tensor) -> Tensor:
        """What is to be the identity, ``(D, D)``: eq. 6, the covariance of the means."""
        return covariance(self.reduction.gather(mean))

    def costs(self, model: Any, x: Tensor, noise: Tensor, step: Tensor) -> dict[str, Tensor]:
        """Terms ``reconstruction``, ``kl``, ``off_diagonal`` and ``diagonal`` (times lambda_od and
        lambda_d).
        """
        x_hat, mean, logvar, _ = model(x, noise[0])
        matrix = self._covariance(mean, logvar)
        diagonal = matrix.diagonal()
        return {
            "reconstruction": self._reconstruction(x, x_hat),
            "kl": self._kl(mean, logvar, step),
            "off_diagonal": self.lambda_od * (matrix - diagonal.diag_embed()).square().sum(),
            "diagonal": self.lambda_d * (diagonal - 1.0).square().sum(),
        }


class DIPVAEI(DIPVAE):
    """DIP-VAE-I: the covariance of the posteriors' means (Kumar et al. 2018, eq. 6)."""

    def __init__(
        self, protocol: str = "corrected", lambda_od: float = 10.0, lambda_d: float = 100.0,
        **shared: Unpack[Shared],
    ) -> None:  # fmt: skip
        super().__init__("dip_vae_i", protocol, lambda_od, lambda_d, shared)


class DIPVAEII(DIPVAE):
    """DIP-VAE-II: the covariance of q(z), of the means plus the mean variances (eq. 7)."""

    def __init__(
        self, protocol: str = "corrected", lambda_od: float = 10.0, lambda_d: float = 10.0,
        **shared: Unpack[Shared],
    ) -> None:  # fmt: skip
        super().__init__("dip_vae_ii", protocol, lambda_od, lambda_d, shared)

    def _covariance(self, mean: Tensor, logvar: Tensor) -> Tensor:
        """Cov[z] = Cov[E[z|x]] + E[Cov[z|x]]."""
        variances = self.reduction.gather(at_least_float32(logvar).exp()).mean(dim=0)
        return super()._covariance(mean, logvar) + torch.diag_embed(variances)


class InfoVAE(ELBO):
    """Reconstruction + (1 - alpha) KL + (alpha + lambda_z - 1) MMD(q(z), p(z)).

    Zhao et al. (2019), section 3, with :func:`squared_mmd` (their kernel; biased) between the codes
    of the whole batch and as many draws of the prior. alpha = 1 is their MMD-VAE, which has no KL;
    alpha = 0 and lambda_z = 1 the VAE. The MMD is below 2, so that lambda_z has to be of the size
    of the likelihood, which is summed over an item. A schedule and free bits are of the KL alone.
    """

    smallest_batch = 2
    draws = 2
    alpha: Tensor
    lambda_z: Tensor

    def __init__(
        self, protocol: str = "corrected", alpha: float = 0.0, lambda_z: float = 1000.0,
        **shared: Unpack[Shared],
    ) -> None:  # fmt: skip
        super().__init__("info_vae", protocol, shared)
        alpha = self._weight("alpha", alpha, minimum=-math.inf, maximum=1.0)
        self._weight("lambda_z", lambda_z, minimum=1.0 - alpha)

    def costs(self, model: Any, x: Tensor, noise: Tensor, step: Tensor) -> dict[str, Tensor]:
        """Terms ``reconstruction``, ``kl`` and ``mmd``, each times its weight."""
        x_hat, mean, logvar, z = model(x, noise[0])
        codes, prior = self.reduction.gather(z), self.reduction.gather(noise[1])
        enough(len(codes), self.smallest_batch)
        return {
            "reconstruction": self._reconstruction(x, x_hat),
            "kl": (1.0 - self.alpha) * self._kl(mean, logvar, step),
            "mmd": (self.alpha + self.lambda_z - 1.0) * squared_mmd(codes, prior),
        }
