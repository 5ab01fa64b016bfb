"""Objectives that penalise total correlation: beta-TCVAE from densities, FactorVAE by a network."""

from __future__ import annotations

import itertools
from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from fastdis import _validation
from fastdis.objectives.base import PROTOCOLS, at_least_float32, enough
from fastdis.objectives.divergences import kl_decomposition
from fastdis.objectives.elbo import ELBO, Annealing, Shared


class BetaTCVAE(ELBO):
    """Reconstruction + alpha MI + beta TC + gamma dimension-wise KL (Chen et al. 2018, eq. 4).

    ``estimator`` is ``"mss"`` or ``"mws"``, see :func:`kl_decomposition`. ``"corrected"`` estimates
    the terms on the sample that was decoded; ``"published"`` draws a second one, as the reference.
    A schedule multiplies all three, which add up to the KL divergence; as none of them is the KL of
    a posterior, there are no free bits.
    """

    protocols = PROTOCOLS
    shared = ("likelihood", "variance", "kl_schedule", "kl_steps")
    smallest_batch = 2
    alpha: Tensor
    beta: Tensor
    gamma: Tensor

    def __init__(
        self,
        protocol: str = "corrected",
        alpha: float = 1.0,
        beta: float = 4.0,
        gamma: float = 1.0,
        estimator: str = "mss",
        **shared: Unpack[Annealing],
    ) -> None:
        super().__init__("beta_tcvae", protocol, shared)
        for key, value in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
            self._weight(key, value)
        self.estimator = _validation.choice("estimator", estimator, ("mss", "mws"))
        self.options["estimator"] = estimator
        self.draws = 2 if protocol == "published" else 1

    def costs(self, model: Any, x: Tensor, noise: Tensor, step: Tensor) -> dict[str, Tensor]:
        """Terms ``reconstruction``, ``mutual_information``, ``total_correlation`` and
        ``dimension_kl``, each times its weight.
        """
        x_hat, mean, logvar, z = model(x, noise[0])
        if self.protocol == "published":
            z = model.sample(mean, logvar, noise[1])
        z, mean, logvar = (self.reduction.gather(part) for part in (z, mean, logvar))
        information, correlation, dimension = (
            self._annealed(term, step)
            for term in kl_decomposition(
                z, mean, logvar, self.n_data, self.estimator, self.protocol
            )
        )
        return {
            "reconstruction": self._reconstruction(x, x_hat),
            "mutual_information": self.alpha * information,
            "total_correlation": self.beta * correlation,
            "dimension_kl": self.gamma * dimension,
        }


def permute_codes(z: Tensor, keys: Tensor) -> Tensor:
    """Each code shuffled over the batch on its own: a draw from the product of the marginals.

    Kim and Mnih (2018), algorithm 1. ``keys (B, D)`` are random numbers, whose order is taken.
    """
    return z.gather(0, keys.argsort(dim=0))


class Discriminator(nn.Module):
    """Six linear layers of 1,000 units, leaky ReLU 0.2, two logits (Kim and Mnih 2018, appendix A).

    Class 0 is a code of q(z), class 1 a code whose dimensions were shuffled.
    """

    def __init__(self, latent_dim: int, hidden: int = 1000, layers: int = 6) -> None:
        super().__init__()
        widths = [latent_dim, *[hidden] * (layers - 1)]
        parts: list[nn.Module] = []
        for n_in, n_out in itertools.pairwise(widths):
            parts += [nn.Linear(n_in, n_out), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*parts, nn.Linear(hidden, 2))
        for module in self.layers:
            if isinstance(module, nn.Linear):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")

    def forward(self, z: Tensor) -> Tensor:
        """Codes ``(B, D)`` -> logits ``(B, 2)``."""
        logits: Tensor = self.layers(z)
        return logits


class FactorVAE(ELBO):
    """Reconstruction + KL + gamma TC, the TC by a discriminator's density ratio.

    Kim and Mnih (2018), eq. 2 and algorithm 1. A batch is split: the first half trains the VAE, the
    second half gives the shuffled codes. In ``"corrected"`` the discriminator's loss sends no
    gradient into the encoder; in ``"published"`` it does, as in the reference. A schedule and free
    bits are of the KL alone.
    """

    protocols = PROTOCOLS
    smallest_batch = 4
    draws = 2
    gamma: Tensor

    def __init__(
        self, protocol: str = "corrected", gamma: float = 6.0, **shared: Unpack[Shared]
    ) -> None:
        super().__init__("factor_vae", protocol, shared)
        self._weight("gamma", gamma)
        self.discriminator: Discriminator | None = None

    def prepare(self, latent_dim: int, n_data: int) -> None:
        """Build the discriminator for codes of size ``latent_dim``."""
        super().prepare(latent_dim, n_data)
        self.discriminator = Discriminator(latent_dim)

    @property
    def adversary(self) -> nn.Module | None:
        """The discriminator."""
        return self.discriminator

    def costs(self, model: Any, x: Tensor, noise: Tensor, step: Tensor) -> dict[str, Tensor]:
        """Terms ``reconstruction``, ``kl``, ``total_correlation`` (times gamma), and beside them
        ``discriminator``.
        """
        if self.discriminator is None:
            raise RuntimeError("FactorVAE takes prepare(latent_dim, n_data) before its first batch")
        (first, of_first), (second, of_second) = self.reduction.halves(len(x))
        x_hat, mean, logvar, z = model(x[first], noise[0, first])
        # Parameters without gradient: this term moves the encoder only.
        frozen = {key: value.detach() for key, value in self.discriminator.named_parameters()}
        logits: Tensor = torch.func.functional_call(self.discriminator, frozen, (z,))
        with torch.no_grad():
            codes = of_second.gather(model.sample(*model.encode(x[second]), noise[0, second]))
            enough(len(codes), self.smallest_batch // 2, what="half a batch")
            shuffled = of_second.share(permute_codes(codes, of_second.gather(noise[1, second])))
        real = self.discriminator(z if self.protocol == "published" else z.detach())
        fake = self.discriminator(shuffled)
        logits, real, fake = map(at_least_float32, (logits, real, fake))
        return {
            "reconstruction": self._reconstruction(x[first], x_hat, of_first),
            "kl": self._kl(mean, logvar, step, of_first),
            "total_correlation": self.gamma * of_first.mean(logits[:, 0] - logits[:, 1]),
            # Cross-entropies: the first class is the joint distribution's, the second the shuffled.
            "discriminator": 0.5 * of_first.mean(functional.softplus(real[:, 1] - real[:, 0]))
            + 0.5 * of_second.mean(functional.softplus(fake[:, 0] - fake[:, 1])),
        }
