"""Objectives of variational auto-encoders: the loss of a model's outputs as named terms.

``protocol="corrected"`` follows the paper that introduced an objective: a log-likelihood and a KL
divergence, both summed over an item and averaged over the batch. Four of them are written twice:
``protocol="published"`` repeats SynTone's reference code, where the squared error is summed over
the *batch* and the KL averaged over it, so that at batch size B the effective beta is beta / B.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastdis import _validation
from fastdis.objectives.base import PROTOCOLS, Objective, Reduction, at_least_float32
from fastdis.objectives.divergences import (
    gaussian_kl,
    kl_between,
    kl_decomposition,
    kl_divergence,
    log_density,
    squared_mmd,
    stratified_log_weights,
)
from fastdis.objectives.elbo import ELBO, VAE, AnnealedVAE, BetaVAE
from fastdis.objectives.likelihoods import LIKELIHOODS, VARIANCE, log_variance, reconstruction
from fastdis.objectives.moments import DIPVAEI, DIPVAEII, InfoVAE, covariance
from fastdis.objectives.schedules import SCHEDULES, cyclical, linear
from fastdis.objectives.total_correlation import (
    BetaTCVAE,
    Discriminator,
    FactorVAE,
    permute_codes,
)
from fastdis.objectives.weak import AdaGVAE, free_codes, with_shared_codes

__all__ = [
    "DIPVAEI", "DIPVAEII", "ELBO", "LIKELIHOODS", "PROTOCOLS", "SCHEDULES", "TITLES", "VAE",
    "VARIANCE", "AdaGVAE", "AnnealedVAE", "BetaTCVAE", "BetaVAE", "Discriminator", "FactorVAE",
    "InfoVAE", "Objective", "Reduction", "Rows", "at_least_float32", "build", "covariance",
    "cyclical", "free_codes", "gaussian_kl", "kl_between", "kl_decomposition", "kl_divergence",
    "linear", "log_density", "log_variance", "names", "permute_codes", "reconstruction",
    "squared_mmd", "stratified_log_weights", "with_shared_codes",
]  # fmt: skip

Rows = Reduction  # its former name

_REGISTRY: dict[str, Callable[..., Objective]] = {
    "vae": VAE,
    "beta_vae": BetaVAE,
    "factor_vae": FactorVAE,
    "beta_tcvae": BetaTCVAE,
    "annealed_vae": AnnealedVAE,
    "dip_vae_i": DIPVAEI,
    "dip_vae_ii": DIPVAEII,
    "info_vae": InfoVAE,
    "ada_gvae": AdaGVAE,
}
TITLES = {
    "vae": "VAE", "beta_vae": "β-VAE", "factor_vae": "FactorVAE", "beta_tcvae": "β-TCVAE",
    "annealed_vae": "Annealed VAE", "dip_vae_i": "DIP-VAE-I", "dip_vae_ii": "DIP-VAE-II",
    "info_vae": "InfoVAE", "ada_gvae": "Ada-GVAE",
}  # fmt: skip


def names() -> tuple[str, ...]:
    """The names that :func:`build` takes."""
    return tuple(_REGISTRY)


def build(name: str, *, protocol: str = "corrected", **options: Any) -> Objective:
    """An objective by name.

    Parameters
    ----------
    name
        ``"vae"``, ``"beta_vae"``, ``"factor_vae"``, ``"beta_tcvae"``, ``"annealed_vae"``,
        ``"dip_vae_i"``, ``"dip_vae_ii"``, ``"info_vae"`` or ``"ada_gvae"``.
    protocol
        ``"corrected"`` (each objective's own paper) or, of the first four, ``"published"``
        (SynTone's reference code). The attribute ``protocol`` and files hold ``"sound"`` for
        ``"corrected"``, its former name, which is taken as well.
    **options
        Of all: ``likelihood`` (``"gaussian"``, ``"gaussian_learned"``, ``"bernoulli"``,
        ``"laplace"``) and its ``variance``. Of all but the annealed VAE: ``kl_schedule``
        (``"constant"``, ``"linear"``, ``"cyclical"``) and its ``kl_steps``. Of all but these and
        beta-TCVAE: ``free_bits``. See :class:`ELBO`.

        Of their own: ``beta`` for the beta-VAE; ``gamma`` for FactorVAE; ``alpha``, ``beta``,
        ``gamma`` and ``estimator`` (``"mss"``, ``"mws"``) for beta-TCVAE; ``gamma``, ``capacity``
        and ``steps`` for the annealed VAE; ``lambda_od`` and ``lambda_d`` for DIP-VAE; ``alpha``
        and ``lambda_z`` for InfoVAE; ``beta`` and ``changed`` for Ada-GVAE.

    Raises
    ------
    TypeError, ValueError
        If a name, an option or its value is unknown (the error names the near miss), or the
        protocol has none such.

    Examples
    --------
    >>> build("beta_vae", beta=2.0).options["beta"]
    2.0
    >>> build("dip_vae_ii", kl_schedule="linear", kl_steps=1000).options["kl_steps"]
    1000
    """
    cls = _REGISTRY[_validation.choice("name", name, _REGISTRY)]
    known = cls().options
    for option in options:
        _validation.choice(f"options of {name!r}", option, known)
    return cls(protocol, **options)
