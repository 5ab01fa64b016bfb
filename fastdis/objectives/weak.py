"""Weak supervision: objectives that learn from pairs of clips that share some of their factors."""

from __future__ import annotations

import math
from typing import Any, Unpack

import torch
from torch import Tensor

from fastdis import _validation
from fastdis.objectives.base import at_least_float32, enough
from fastdis.objectives.divergences import kl_between
from fastdis.objectives.elbo import ELBO, Shared

Posterior = tuple[Tensor, Tensor]


def free_codes(one: Posterior, two: Posterior, changed: int | None) -> Tensor:
    """The codes of each pair that are assumed to have changed, bool ``(B, D)``.

    Locatello et al. (2020): where delta_d = KL(q(z_d|x1) || q(z_d|x2)) is large, in this direction,
    as in their code: the ``changed`` largest, or, if that is None, those above the midpoint of the
    pair's smallest and largest. No gradient passes through the choice.
    """
    delta = kl_between(*one, *two)
    if changed is None:
        threshold = 0.5 * (delta.amax(dim=1, keepdim=True) + delta.amin(dim=1, keepdim=True))
        return delta >= threshold
    largest = delta.topk(changed, dim=1).indices
    return torch.zeros_like(delta, dtype=torch.bool).scatter(1, largest, True)


def with_shared_codes(
    one: Posterior, two: Posterior, changed: int | None
) -> tuple[Posterior, Posterior]:
    """The posteriors of pairs ``(mean, logvar)``, each ``(B, D)``, averaged over unchanged codes.

    The average has the mean of the means and the mean of the variances (the group VAE of Hosoya
    2019, which gives Ada-GVAE its G).
    """
    free = free_codes(one, two, changed)
    mean = 0.5 * (one[0] + two[0])
    logvar = torch.logaddexp(one[1], two[1]) - math.log(2.0)
    first, second = (
        (torch.where(free, each[0], mean), torch.where(free, each[1], logvar))
        for each in (one, two)
    )
    return first, second


class AdaGVAE(ELBO):
    """Reconstruction + beta KL of pairs of clips, whose unchanged codes have one posterior.

    Locatello et al. (2020), Ada-GVAE. The second half of a batch holds the partners of the first.
    Both are encoded, codes that did not change get the average posterior, and the two evidence
    lower bounds are averaged. Where a batch is split over processes, the posteriors are gathered,
    as partners may be in different processes.

    Parameters
    ----------
    changed
        How many codes may differ in a pair, 1 to D; None where it is not known, and may differ from
        pair to pair.
    """

    pairs = True
    smallest_batch = 2
    beta: Tensor

    def __init__(
        self, protocol: str = "corrected", beta: float = 1.0, changed: int | None = None,
        **shared: Unpack[Shared],
    ) -> None:  # fmt: skip
        super().__init__("ada_gvae", protocol, shared)
        self._weight("beta", beta)
        self.changed = None if changed is None else _validation.integer("changed", changed)
        self.options["changed"] = self.changed

    def prepare(self, latent_dim: int, n_data: int) -> None:
        """Check ``changed`` against the size of the code.

        Raises
        ------
        ValueError
            If more codes may change than there are.
        """
        super().prepare(latent_dim, n_data)
        if self.changed is not None:
            _validation.integer("changed", self.changed, 1, latent_dim)

    def costs(self, model: Any, x: Tensor, noise: Tensor, step: Tensor) -> dict[str, Tensor]:
        """Terms ``reconstruction`` and ``kl`` (times beta), averaged over all clips."""
        halves = self.reduction.halves(len(x))
        mean, logvar = map(at_least_float32, model.encode(x))
        one, two = (
            (reduction.gather(mean[half]), reduction.gather(logvar[half]))
            for half, reduction in halves
        )
        enough(len(one[0]), self.smallest_batch // 2, what="half a batch")
        errors, divergences = [], []
        for (half, reduction), (mean, logvar) in zip(
            halves, with_shared_codes(one, two, self.changed), strict=True
        ):
            mean, logvar = reduction.share(mean), reduction.share(logvar)
            x_hat = model.decode(model.sample(mean, logvar, noise[0, half]))
            errors.append(self._reconstruction(x[half], x_hat, reduction))
            divergences.append(self._kl(mean, logvar, step, reduction))
        return {
            "reconstruction": 0.5 * (errors[0] + errors[1]),
            "kl": self.beta * (0.5 * (divergences[0] + divergences[1])),
        }
