"""The evidence lower bound (ELBO) and its options; VAE, beta-VAE and annealed VAE.

An ELBO is a reconstruction by a likelihood, and a KL divergence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

import torch
from torch import Tensor, nn

from fastdis import _validation
from fastdis.objectives import schedules
from fastdis.objectives.base import PROTOCOLS, Objective, Reduction
from fastdis.objectives.divergences import gaussian_kl, kl_divergence
from fastdis.objectives.likelihoods import FLOOR, LIKELIHOODS, VARIANCE, raw_of, reconstruction


class Fit(TypedDict, total=False):
    """Options of the likelihood."""

    likelihood: str
    variance: float


class Annealing(Fit, total=False):
    """Options of the likelihood, and of the weight of the KL divergence."""

    kl_schedule: str
    kl_steps: int | None


class Shared(Annealing, total=False):
    """Options of the likelihood, of the weight of the KL divergence, and its free bits."""

    free_bits: float


_DEFAULTS: dict[str, Any] = {
    "likelihood": "gaussian",
    "variance": VARIANCE,
    "kl_schedule": "constant",
    "kl_steps": None,
    "free_bits": 0.0,
}


class ELBO(Objective):
    """A reconstruction by a likelihood, and a KL divergence, annealed and with free bits.

    Parameters
    ----------
    likelihood
        Of x given the code (:mod:`fastdis.objectives.likelihoods`): ``"gaussian"``;
        ``"gaussian_learned"``, whose one variance is a parameter; ``"bernoulli"``, of features in
        [0, 1]; ``"laplace"``.
    variance
        Of a value of x given the code; Laplace's scale is sqrt(variance / 2). That of
        ``"gaussian_learned"`` starts there and stays above exp(-12) = 6.1e-6; it is
        ``log_variance(objective.raw_variance).exp()``. ``"bernoulli"`` has none.
    kl_schedule
        What the KL divergence is multiplied by: ``"constant"``, 1; ``"linear"``, from 0 to 1 over
        ``kl_steps`` steps (Bowman et al. 2016); ``"cyclical"``, in cycles of ``kl_steps`` steps
        (Fu et al. 2019).
    kl_steps
        An integer for a linear or cyclical schedule; None for a constant weight.
    free_bits
        Nats of KL that each code has for free, as a mean over the batch (Kingma et al. 2016).

    Raises
    ------
    TypeError, ValueError
        If an option or its value is unknown, has no meaning beside the others, or is not in the
        reference code and ``protocol="published"``.
    """

    shared: tuple[str, ...] = tuple(_DEFAULTS)  # the options that a subclass takes
    variance: Tensor | None
    raw_variance: nn.Parameter | None
    kl_steps: Tensor
    free_bits: Tensor | None

    def __init__(self, name: str, protocol: str, options: Mapping[str, Any]) -> None:
        super().__init__(name, protocol)
        for key in options:
            _validation.choice(f"options of {name!r}", key, self.shared)
        settings = {key: options.get(key, _DEFAULTS[key]) for key in self.shared}
        self._set_likelihood(settings["likelihood"], settings["variance"])
        if "kl_schedule" in settings:
            self._set_schedule(settings["kl_schedule"], settings["kl_steps"])
        self.register_buffer("free_bits", None)
        if _validation.number("free_bits", settings.get("free_bits", 0.0), minimum=0.0) > 0.0:
            self._weight("free_bits", settings["free_bits"])
        self.options = {key: self.options.get(key, settings[key]) for key in settings}
        if protocol == "published":
            self._check_published_options()

    def _set_likelihood(self, likelihood: str, variance: float) -> None:
        self.likelihood = _validation.choice("likelihood", likelihood, LIKELIHOODS)
        self.register_parameter("raw_variance", None)
        self.register_buffer("variance", None)
        if likelihood == "gaussian_learned":
            start = _validation.number("variance", variance, above=math.exp(FLOOR))
            self.options["variance"] = start
            self.raw_variance = nn.Parameter(torch.tensor(raw_of(start)))
        elif likelihood == "bernoulli":
            if variance != VARIANCE:
                raise ValueError(
                    "variance goes with likelihood 'gaussian', 'gaussian_learned' or 'laplace', "
                    f"got {_validation.describe(variance)} with 'bernoulli'"
                )
        else:
            _validation.number("variance", variance, above=0.0)
            self._weight("variance", variance)

    def _set_schedule(self, schedule: str, steps: int | None) -> None:
        self.kl_schedule = _validation.choice("kl_schedule", schedule, schedules.SCHEDULES)
        if schedule == "constant":
            if steps is not None:
                raise ValueError(
                    "kl_steps goes with kl_schedule 'linear' or 'cyclical', "
                    f"got {_validation.describe(steps)} with 'constant'"
                )
        else:  # a cycle takes two steps, as the weight of its first is 0
            self._count("kl_steps", steps, 2 if schedule == "cyclical" else 1)  # type: ignore[arg-type]

    def _check_published_options(self) -> None:
        for key, value in self.options.items():
            if key != "variance" and value != _DEFAULTS[key]:
                raise ValueError(
                    f"protocol 'published' takes {key} {_DEFAULTS[key]!r} only, as the reference "
                    f"code, got {value!r}"
                )

    def _reconstruction(
        self, x: Tensor, x_hat: Tensor, reduction: Reduction | None = None
    ) -> Tensor:
        """The cost of the reconstruction of these clips, a scalar."""
        reduction = reduction or self.reduction
        if self.protocol == "published":
            return reconstruction(x, x_hat, self.protocol, rows=reduction)
        spread = self.variance if self.raw_variance is None else self.raw_variance
        return LIKELIHOODS[self.likelihood](x, x_hat, spread, reduction)

    @property
    def anneals(self) -> bool:
        """Whether a schedule weighs the KL divergence."""
        return self.kl_schedule != "constant"

    def _annealed(self, cost: Tensor, step: Tensor) -> Tensor:
        """A cost times what the schedule gives it at this step."""
        if self.kl_schedule == "constant":
            return cost
        return schedules.RISING[self.kl_schedule](step, self.kl_steps) * cost

    def _kl(
        self, mean: Tensor, logvar: Tensor, step: Tensor, reduction: Reduction | None = None
    ) -> Tensor:
        """The KL divergence of these clips, a scalar, with its free bits and annealed."""
        return self._annealed(
            kl_divergence(mean, logvar, reduction or self.reduction, self.free_bits), step
        )


class VAE(ELBO):
    """The negative evidence lower bound, reconstruction + KL (Kingma and Welling 2013, eq. 3)."""

    protocols = PROTOCOLS

    def __init__(self, protocol: str = "corrected", **shared: Unpack[Shared]) -> None:
        super().__init__("vae", protocol, shared)

    def costs(self, model: Any, x: Tensor, noise: Tensor, step: Tensor) -> dict[str, Tensor]:
        """Terms ``reconstruction`` and ``kl``."""
        x_hat, mean, logvar, _ = model(x, noise[0])
        return {
            "reconstruction": self._reconstruction(x, x_hat),
            "kl": self._kl(mean, logvar, step),
        }


class BetaVAE(ELBO):
    """Reconstruction + beta KL (Higgins et al. 2017, eq. 4)."""

    protocols = PROTOCOLS
    beta: Tensor

    def __init__(
        self, protocol: str = "corrected", beta: float = 4.0, **shared: Unpack[Shared]
    ) -> None:
        super().__init__("beta_vae", protocol, shared)
        self._weight("beta", beta)

    def costs(self, model: Any, x: Tensor, noise: Tensor, step: Tensor) -> dict[str, Tensor]:
        """Terms ``reconstruction`` and ``kl`` (times beta)."""
        x_hat, mean, logvar, _ = model(x, noise[0])
        return {
            "reconstruction": self._reconstruction(x, x_hat),
            "kl": self.beta * self._kl(mean, logvar, step),
        }


class AnnealedVAE(ELBO):
    """Reconstruction + gamma |KL - C|, C from 0 to ``capacity`` nats over ``steps`` steps.

    Burgess et al. (2018), eq. 8, whose figures are the defaults; the KL is the batch's mean, as in
    disentanglement_lib. It anneals by C, and takes neither a schedule nor free bits.
    """

    shared = ("likelihood", "variance")
    gamma: Tensor
    capacity: Tensor
    steps: Tensor
    anneals = True

    def __init__(
        self, protocol: str = "corrected", gamma: float = 1000.0, capacity: float = 25.0,
        steps: int = 100_000, **shared: Unpack[Fit],
    ) -> None:  # fmt: skip
        super().__init__("annealed_vae", protocol, shared)
        self._weight("gamma", gamma)
        self._weight("capacity", capacity)
        self._count("steps", steps)

    def costs(self, model: Any, x: Tensor, noise: Tensor, step: Tensor) -> dict[str, Tensor]:
        """Terms ``reconstruction`` and ``kl`` (gamma times its distance from C)."""
        x_hat, mean, logvar, _ = model(x, noise[0])
        capacity = self.capacity * schedules.linear(step, self.steps)
        divergence = self.reduction.gather(gaussian_kl(mean, logvar)).sum(dim=1).mean()
        return {
            "reconstruction": self._reconstruction(x, x_hat),
            "kl": self.gamma * (divergence - capacity).abs(),
        }
