"""Distances between distributions of codes: KL divergences, their decomposition, the MMD."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from fastdis.objectives.base import Reduction, at_least_float32, enough


def gaussian_kl(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(q(z_d|x) || N(0, 1)) in nats, element by element, ``(B, D)``, in float32.

    Kingma and Welling (2013), appendix B.
    """
    mean, logvar = at_least_float32(mean), at_least_float32(logvar)
    return 0.5 * (mean.square() + logvar.exp() - 1.0 - logvar)


def kl_divergence(
    mean: Tensor, logvar: Tensor, rows: Reduction | None = None, free_bits: Tensor | None = None
) -> Tensor:
    """KL(q(z|x) || N(0, I)) in nats, summed over codes and averaged over the batch, in float32.

    With ``free_bits`` the sum over codes of max(free_bits, mean over the batch): below so many nats
    a code is free (Kingma et al. 2016, eq. 15, with each code as a group).
    """
    rows = rows or Reduction()
    each = gaussian_kl(mean, logvar)
    if free_bits is None:
        return rows.mean(each.sum(dim=1))
    return torch.maximum(rows.gather(each).mean(dim=0), free_bits).sum()


def kl_between(mean: Tensor, logvar: Tensor, other_mean: Tensor, other_logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) || N(other_mean, exp(other_logvar))) in nats, element by element."""
    ratio = logvar - other_logvar
    distance = (mean - other_mean).square() * torch.exp(-other_logvar)
    return 0.5 * (ratio.exp() + distance - 1.0 - ratio)


def log_density(z: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """log N(z; mean, exp(logvar)), element by element, in float32."""
    z, mean, logvar = map(at_least_float32, (z, mean, logvar))
    return -0.5 * (math.log(2.0 * math.pi) + logvar + (z - mean).square() * torch.exp(-logvar))


def stratified_log_weights(
    batch: int, n_data: int, protocol: str, device: Any = None, dtype: torch.dtype | None = None
) -> Tensor:
    """Log weights ``(B, B)`` of minibatch-stratified sampling (Chen et al. 2018, appendix C.2).

    Row i estimates q(z_i) from its own posterior (weight 1/N), from all others but one (1/M each,
    M = B - 1) and from that one (the rest, (N - M) / (N M)). ``"published"`` repeats the code in
    circulation, whose stride puts the first weight in column 0 instead of on the diagonal.
    """
    others = batch - 1
    rest = (n_data - others) / (n_data * others)
    weights = torch.full((batch, batch), 1.0 / others, device=device, dtype=dtype)
    if protocol == "published":
        weights[:, 0] = 1.0 / n_data
        weights[:, 1] = rest
        weights[others - 1, 0] = rest
    else:
        rows = torch.arange(batch, device=device)
        weights[rows, (rows + 1) % batch] = rest
        weights[rows, rows] = 1.0 / n_data
    return weights.log()


def kl_decomposition(
    z: Tensor, mean: Tensor, logvar: Tensor, n_data: int, estimator: str, protocol: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Mutual information, total correlation and dimension-wise KL, each in nats.

    Chen et al. (2018), eq. 2, from the posteriors of one batch of B >= 2 by minibatch-weighted
    (``"mws"``) or minibatch-stratified sampling (``"mss"``). Stratified weights sum to 1. Weighted
    ones are 1 / (N B) and sum to 1 / N, so that each log density but the posterior's is low by
    log N: where many posteriors of the batch reach a code, ``"mws"`` gives a mutual information
    that is high by log N, a total correlation that is high by (D - 1) log N, and a dimension-wise
    KL that is low by D log N. Gradients and the sum of the three are right.

    Raises
    ------
    ValueError
        If the batch has fewer than 2 items, or more than the ``n_data`` it stands for.
    """
    batch = len(z)
    enough(batch, 2, n_data)
    log_pairs = log_density(z[:, None], mean[None], logvar[None])  # (B, B, D)
    log_posterior = log_density(z, mean, logvar).sum(dim=1)
    log_prior = log_density(z, torch.zeros_like(z), torch.zeros_like(z)).sum(dim=1)
    if estimator == "mss":
        log_weights = stratified_log_weights(batch, n_data, protocol, z.device, log_pairs.dtype)
        log_weights = log_weights[:, :, None]
        if protocol == "published":
            # The reference adds the weights before the sum over codes, so they count D times.
            log_joint = torch.logsumexp((log_pairs + log_weights).sum(dim=2), dim=1)
        else:
            log_joint = torch.logsumexp(log_pairs.sum(dim=2) + log_weights[:, :, 0], dim=1)
        log_marginals = torch.logsumexp(log_pairs + log_weights, dim=1).sum(dim=1)
    else:
        log_scale = math.log(batch * n_data)
        log_joint = torch.logsumexp(log_pairs.sum(dim=2), dim=1) - log_scale
        log_marginals = (torch.logsumexp(log_pairs, dim=1) - log_scale).sum(dim=1)
    return (
        (log_posterior - log_joint).mean(),
        (log_joint - log_marginals).mean(),
        (log_marginals - log_prior).mean(),
    )


def squared_mmd(codes: Tensor, others: Tensor) -> Tensor:
    """The squared maximum mean discrepancy of samples ``(B, D)`` and ``(M, D)``, a scalar.

    Gretton et al. (2012), eq. 5, a V-statistic: it is never negative, and biased upwards by
    (1 - E k) / B for each sample, as a code's distance to itself counts. The kernel is
    k(x, y) = exp(-|x - y|^2 / D^2), as in the code of Zhao et al. (2019) (mean over the codes, then
    divided by D).
    """
    codes, others = at_least_float32(codes), at_least_float32(others)

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        # Differences, as a matrix product would cancel, and autocast make it bfloat16.
        distance = (x[:, None] - y[None]).square().sum(dim=2)
        return torch.exp(-distance / x.shape[1] ** 2).mean()

    return kernel(codes, codes) + kernel(others, others) - 2.0 * kernel(codes, others)
