"""Objectives of variational auto-encoders: what a model's outputs cost, term by named term.

Each is written twice. ``protocol="sound"`` follows the paper that introduced it: a Gaussian
log-likelihood and a KL divergence, both summed over an item and averaged over the batch.
``protocol="published"`` repeats SynTone's reference code, where the squared error is summed over
the *batch* and the KL averaged over it, so that at batch size B the effective beta is beta / B.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fastdis import _validation

PROTOCOLS = ("published", "sound")
# Of features in [0, 1]; it sets what a nat of KL weighs. Picked from 0.01, 0.03, 0.1, 0.3 and 1 on
# SynTone (8 codes, 6 epochs, one seed): at 0.1 a VAE keeps every code open and beta = 4 closes
# some; at 0.01 beta = 4 closes none, at 1 it closes nearly all.
VARIANCE = 0.1


class Rows:
    """The clips of one batch: how their costs become one, and where their codes come together.

    Here all of them are in one process. Where a batch is split over processes, training puts
    another one in its place, so that an objective is written once.
    """

    def mean(self, costs: Tensor) -> Tensor:
        """The mean over the clips of the whole batch, ``(B, ...)`` to ``(...)``."""
        return costs.mean(dim=0)

    def sum(self, costs: Tensor) -> Tensor:
        """The sum over the clips of the whole batch, ``(B, ...)`` to ``(...)``."""
        return costs.sum(dim=0)

    def gather(self, codes: Tensor) -> Tensor:
        """The codes of the whole batch in its order, for terms that compare clips."""
        return codes

    def share(self, codes: Tensor) -> Tensor:
        """What of the whole batch's codes is this process's."""
        return codes

    def halves(self, size: int) -> tuple[tuple[slice, Rows], tuple[slice, Rows]]:
        """Two halves of a batch of which ``size`` clips are here: where each lies, and its rows.

        The last clip of an odd batch is in neither.
        """
        half = size // 2
        return (slice(0, half), self), (slice(half, 2 * half), self)


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision as float32; float64 stays."""
    return values if values.dtype == torch.float64 else values.float()


def reconstruction(
    x: Tensor, x_hat: Tensor, protocol: str, variance: float = VARIANCE, rows: Rows | None = None
) -> Tensor:
    """The cost of the reconstruction, a scalar.

    ``"sound"``: -log N(x; x_hat, variance) without its constant, summed over an item and averaged
    over the batch. ``"published"``: the squared error summed over the whole batch.
    """
    rows = rows or Rows()
    errors = (at_least_float32(x_hat) - at_least_float32(x)).square().flatten(1).sum(dim=1)
    return rows.sum(errors) if protocol == "published" else rows.mean(errors) / (2.0 * variance)


def kl_divergence(mean: Tensor, logvar: Tensor, rows: Rows | None = None) -> Tensor:
    """KL(q(z|x) || N(0, I)) in nats, summed over codes and averaged over the batch, in float32.

    Kingma and Welling (2013), appendix B.
    """
    mean, logvar = at_least_float32(mean), at_least_float32(logvar)
    rows = rows or Rows()
    return rows.mean(0.5 * (mean.square() + logvar.exp() - 1.0 - logvar).sum(dim=1))


def log_density(z: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """log N(z; mean, exp(logvar)), element by element, in float32."""
    z, mean, logvar = map(at_least_float32, (z, mean, logvar))
    return -0.5 * (math.log(2.0 * math.pi) + logvar + (z - mean).square() * torch.exp(-logvar))


def stratified_log_weights(batch: int, n_data: int, protocol: str, device: Any = None) -> Tensor:
    """Log weights ``(B, B)`` of minibatch-stratified sampling (Chen et al. 2018, appendix C.2).

    Row i estimates q(z_i) from its own posterior (weight 1/N), from all others but one (1/M each,
    M = B - 1) and from that one (the rest, (N - M) / (N M)). ``"published"`` repeats the code in
    circulation, whose stride puts the first weight in column 0 instead of on the diagonal.
    """
    others = batch - 1
    rest = (n_data - others) / (n_data * others)
    weights = torch.full((batch, batch), 1.0 / others, device=device)
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
    (``"mws"``) or minibatch-stratified sampling (``"mss"``).

    Raises
    ------
    ValueError
        If the batch has fewer than 2 items, or more than the ``n_data`` it stands for.
    """
    batch = len(z)
    if not 2 <= batch <= n_data:
        raise ValueError(f"a batch takes 2 to n_data = {n_data} items here, got {batch}")
    log_pairs = log_density(z[:, None], mean[None], logvar[None])  # (B, B, D)
    log_posterior = log_density(z, mean, logvar).sum(dim=1)
    log_prior = log_density(z, torch.zeros_like(z), torch.zeros_like(z)).sum(dim=1)
    if estimator == "mss":
        log_weights = stratified_log_weights(batch, n_data, protocol, z.device)[:, :, None]
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


def permute_codes(z: Tensor, keys: Tensor) -> Tensor:
    """Each code shuffled over the batch on its own: a draw from the product of the marginals.

    Kim and Mnih (2018), algorithm 1. ``keys (B, D)`` are random numbers, whose order is taken.
    """
    return z.gather(0, keys.argsort(dim=0))


class Objective(nn.Module, ABC):
    """What a batch costs: ``objective(model, x) -> terms``.

    ``terms["loss"]`` is the sum of the other terms. A ``terms["discriminator"]``, where there is
    one, is the loss of the objective's own network; it is minimised beside ``"loss"`` and is not
    part of it.

    A subclass gives :meth:`costs`. Numbers that weigh its terms are buffers, so that objectives
    that differ in them alone can be stacked and trained in one step; what it computes per clip goes
    through ``self.rows``.

    Attributes
    ----------
    smallest_batch : int
        The fewest items a batch may hold.
    draws : int
        Standard normal numbers that it takes a code and clip.
    pairs : bool
        Whether the second half of a batch holds a partner for each clip of the first half.
    rows : Rows
        Of the batch.
    """

    smallest_batch = 1
    draws = 1
    pairs = False
    options: Mapping[str, Any]

    def __init__(self, name: str, protocol: str, **options: Any) -> None:
        super().__init__()
        self.name, self.protocol, self.options = name, protocol, options
        self.n_data = 1
        self.rows = Rows()

    def prepare(self, latent_dim: int, n_data: int) -> None:
        """Take the size D of the code and the number N of training items; before the first step."""
        self.n_data = n_data

    @property
    def adversary(self) -> nn.Module | None:
        """The network that ``terms["discriminator"]`` trains, if there is one."""
        return None

    def forward(
        self, model: Any, x: Tensor, noise: Tensor | None = None, step: Tensor | int = 0
    ) -> dict[str, Tensor]:
        """The terms of one batch.

        Parameters
        ----------
        model
            As :func:`fastdis.models.build` makes it.
        x
            Features ``(B, C, F, frames)``.
        noise
            Standard normal ``(draws, B, D)``; drawn from torch's generator by default.
        step
            Steps taken before this one, which weights that are annealed depend on.

        Returns
        -------
        dict of str to tensor
            Scalars.

        Raises
        ------
        ValueError, RuntimeError
            If the batch is too small, or :meth:`prepare` was needed and not called.
        """
        if noise is None:
            kind = x.dtype if x.dtype == torch.float64 else torch.float32
            noise = torch.randn(
                self.draws, len(x), model.latent_dim, device=x.device, dtype=kind
            )  # fmt: skip
        terms = self.costs(model, x, noise, torch.as_tensor(step, device=x.device))
        parts = [value for key, value in terms.items() if key != "discriminator"]
        return {**terms, "loss": torch.stack(parts).sum()}

    @abstractmethod
    def costs(self, model: Any, x: Tensor, noise: Tensor, step: Tensor) -> dict[str, Tensor]:
        """The terms of :meth:`forward` but ``"loss"``, each times its weight."""

    def _weight(self, name: str, value: float, minimum: float = 0.0) -> None:
        """A number that weighs a term, checked, as the buffer ``name``."""
        number = _validation.number(name, value, minimum=minimum)
        self.register_buffer(name, torch.tensor(number), persistent=False)


class BetaVAE(Objective):
    """Reconstruction + beta KL (Higgins et al. 2017, eq. 4)."""

    beta: Tensor

    def __init__(
        self, protocol: str = "sound", beta: float = 4.0, variance: float = VARIANCE
    ) -> None:
        super().__init__("beta_vae", protocol, beta=beta, variance=variance)
        self._weight("beta", beta)
        self.variance = _validation.number("variance", variance, above=0.0)

    def costs(self, model: Any, x: Tensor, noise: Tensor, step: Tensor) -> dict[str, Tensor]:
        """Terms ``reconstruction`` and ``kl`` (times beta)."""
        x_hat, mean, logvar, _ = model(x, noise[0])
        return {
            "reconstruction": reconstruction(x, x_hat, self.protocol, self.variance, self.rows),
            "kl": self.beta * kl_divergence(mean, logvar, self.rows),
        }


class VAE(BetaVAE):
    """The negative evidence lower bound, reconstruction + KL (Kingma and Welling 2013, eq. 3)."""

    def __init__(self, protocol: str = "sound", variance: float = VARIANCE) -> None:
        super().__init__(protocol, 1.0, variance)
        self.name, self.options = "vae", {"variance": variance}


class BetaTCVAE(Objective):
    """Reconstruction + alpha MI + beta TC + gamma dimension-wise KL (Chen et al. 2018, eq. 4).

    ``"sound"`` estimates the terms on the sample that was decoded; ``"published"`` draws a second
    one, as the reference does.
    """

    smallest_batch = 2
    alpha: Tensor
    beta: Tensor
    gamma: Tensor

    def __init__(
        self,
        protocol: str = "sound",
        alpha: float = 1.0,
        beta: float = 4.0,
        gamma: float = 1.0,
        estimator: str = "mss",
        variance: float = VARIANCE,
    ) -> None:
        super().__init__(
            "beta_tcvae", protocol, alpha=alpha, beta=beta, gamma=gamma, estimator=estimator,
            variance=variance,
        )  # fmt: skip
        for key, value in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
            self._weight(key, value)
        self.estimator = _validation.choice("estimator", estimator, ("mss", "mws"))
        self.variance = _validation.number("variance", variance, above=0.0)
        self.draws = 2 if protocol == "published" else 1

    def costs(self, model: Any, x: Tensor, noise: Tensor, step: Tensor) -> dict[str, Tensor]:
        """Terms ``reconstruction``, ``mutual_information``, ``total_correlation`` and
        ``dimension_kl``, each times its weight.
        """
        x_hat, mean, logvar, z = model(x, noise[0])
        if self.protocol == "published":
            z = model.sample(mean, logvar, noise[1])
        z, mean, logvar = (self.rows.gather(part) for part in (z, mean, logvar))
        information, correlation, dimension = kl_decomposition(
            z, mean, logvar, self.n_data, self.estimator, self.protocol
        )
        return {
            "reconstruction": reconstruction(x, x_hat, self.protocol, self.variance, self.rows),
            "mutual_information": self.alpha * information,
            "total_correlation": self.beta * correlation,
            "dimension_kl": self.gamma * dimension,
        }


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


class FactorVAE(Objective):
    """Reconstruction + KL + gamma TC, the TC by a discriminator's density ratio.

    Kim and Mnih (2018), eq. 2 and algorithm 1. A batch is split: the first half trains the VAE, the
    second half gives the shuffled codes. In ``"sound"`` the discriminator's loss sends no gradient
    into the encoder; in ``"published"`` it does, as in the reference.
    """

    smallest_batch = 4
    draws = 2
    gamma: Tensor

    def __init__(
        self, protocol: str = "sound", gamma: float = 6.0, variance: float = VARIANCE
    ) -> None:
        super().__init__("factor_vae", protocol, gamma=gamma, variance=variance)
        self._weight("gamma", gamma)
        self.variance = _validation.number("variance", variance, above=0.0)
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
        (first, rows), (second, others) = self.rows.halves(len(x))
        x_hat, mean, logvar, z = model(x[first], noise[0, first])
        # Parameters without gradient: this term moves the encoder only.
        frozen = {key: value.detach() for key, value in self.discriminator.named_parameters()}
        logits = torch.func.functional_call(self.discriminator, frozen, (z,))
        with torch.no_grad():
            mine = model.sample(*model.encode(x[second]), noise[0, second])
            shuffled = others.share(
                permute_codes(others.gather(mine), others.gather(noise[1, second]))
            )
        real = self.discriminator(z if self.protocol == "published" else z.detach())
        fake = self.discriminator(shuffled)
        return {
            "reconstruction": reconstruction(x[first], x_hat, self.protocol, self.variance, rows),
            "kl": kl_divergence(mean, logvar, rows),
            "total_correlation": self.gamma * rows.mean(logits[:, 0] - logits[:, 1]),
            # Cross-entropies: the first class is the joint distribution's, the second the shuffled.
            "discriminator": 0.5 * rows.mean(functional.softplus(real[:, 1] - real[:, 0]))
            + 0.5 * others.mean(functional.softplus(fake[:, 0] - fake[:, 1])),
        }


_REGISTRY: dict[str, Callable[..., Objective]] = {
    "vae": VAE,
    "beta_vae": BetaVAE,
    "factor_vae": FactorVAE,
    "beta_tcvae": BetaTCVAE,
}
TITLES = {"vae": "VAE", "beta_vae": "β-VAE", "factor_vae": "FactorVAE", "beta_tcvae": "β-TCVAE"}


def names() -> tuple[str, ...]:
    """The names that :func:`build` takes."""
    return tuple(_REGISTRY)


def build(name: str, *, protocol: str = "sound", **options: Any) -> Objective:
    """An objective by name.

    Parameters
    ----------
    name
        ``"vae"``, ``"beta_vae"``, ``"factor_vae"`` or ``"beta_tcvae"``.
    protocol
        ``"sound"`` (each objective's own paper) or ``"published"`` (SynTone's reference code).
    **options
        ``variance`` of the Gaussian likelihood (of ``"sound"``); ``beta`` for the beta-VAE;
        ``gamma`` for FactorVAE; ``alpha``, ``beta``, ``gamma`` and ``estimator`` (``"mss"``,
        ``"mws"``) for beta-TCVAE.

    Raises
    ------
    TypeError, ValueError
        If a name, an option or its value is unknown; the error names the near miss.

    Examples
    --------
    >>> build("beta_vae", beta=2.0).options["beta"]
    2.0
    """
    cls = _REGISTRY[_validation.choice("name", name, _REGISTRY)]
    _validation.choice("protocol", protocol, PROTOCOLS)
    for option in options:
        _validation.choice(f"options of {name!r}", option, cls(protocol).options)
    return cls(protocol, **options)
