"""The base class of objectives, and how the costs of the clips of a batch are reduced to one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from fastdis import _validation

PROTOCOLS = ("published", "sound")  # as files and ``objective.protocol`` hold them


class Reduction:
    """How the costs of the clips of a batch are reduced to one, and their codes are gathered.

    This one is for a batch that is whole in one process. For a batch that is split over processes
    training sets another one, so that an objective is written once.
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
        """This process's clips of the whole batch's codes."""
        return codes

    def halves(self, size: int) -> tuple[tuple[slice, Reduction], tuple[slice, Reduction]]:
        """Two halves of a batch of which ``size`` clips are here: where each lies, and its
        reduction.

        The last clip of an odd batch is in neither.
        """
        half = size // 2
        return (slice(0, half), self), (slice(half, 2 * half), self)


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision converted to float32; float64 stays."""
    return values if values.dtype == torch.float64 else values.float()


class Objective(nn.Module, ABC):
    """The loss of a batch as named terms: ``objective(model, x) -> terms``.

    ``terms["loss"]`` is the sum of the other terms. A ``terms["discriminator"]``, where there is
    one, is the loss of the objective's own network; it is minimised beside ``"loss"`` and is not
    part of it.

    A subclass defines :meth:`costs`. The weights of its terms are buffers named as the options, so
    that objectives that differ in these weights alone can be stacked and trained as one. Costs per
    clip are reduced by ``self.reduction``, and every random number comes from ``noise``.

    Attributes
    ----------
    protocols : tuple of str
        The protocols that it has: ``"sound"`` or ``"published"``.
    smallest_batch : int
        The fewest items a batch may hold.
    draws : int
        Standard normal numbers per code and clip that it takes.
    pairs : bool
        Whether the second half of a batch holds a partner for each clip of the first half.
    reduction : Reduction
        Reduces costs per clip to one of the batch; ``rows`` is its former name.
    options : dict
        Plain values from which :func:`build` makes the same objective.

    Raises
    ------
    ValueError
        If ``protocol`` is unknown, or none of the objective's.
    """

    protocols: tuple[str, ...] = ("sound",)
    smallest_batch = 1
    draws = 1
    pairs = False
    options: dict[str, Any]

    def __init__(self, name: str, protocol: str, **options: Any) -> None:
        super().__init__()
        protocol = _validation.protocol("protocol", protocol)
        if protocol not in self.protocols:
            raise ValueError(
                f"protocol takes 'corrected' for objective {name!r}, got {protocol!r}: SynTone's "
                "reference code has vae, beta_vae, factor_vae and beta_tcvae alone"
            )
        self.name, self.protocol, self.options = name, protocol, options
        self.n_data = 1
        self.reduction = Reduction()

    @property
    def rows(self) -> Reduction:
        """The former name of :attr:`reduction`."""
        return self.reduction

    @rows.setter
    def rows(self, reduction: Reduction) -> None:
        self.reduction = reduction

    def prepare(self, latent_dim: int, n_data: int) -> None:
        """Set the size D of the code and the number N of training items, before the first step."""
        self.n_data = n_data

    @property
    def anneals(self) -> bool:
        """Whether a weight depends on the step: then losses at two steps are not comparable."""
        return False

    @property
    def adversary(self) -> nn.Module | None:
        """The network that ``terms["discriminator"]`` trains, if there is one.

        ``terms["loss"]`` trains all other parameters of an objective.
        """
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
            Number of steps before this one, on which annealed weights depend.

        Returns
        -------
        dict of str to tensor
            Scalars, in float32 at least.

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
        """The terms of :meth:`forward` except ``"loss"``, each times its weight."""

    def _weight(
        self, name: str, value: float, minimum: float = 0.0, maximum: float = math.inf
    ) -> float:
        """Check the weight of a term; store it as the option and as the float32 buffer ``name``."""
        number = _validation.number(name, value, minimum=minimum, maximum=maximum)
        self.options[name] = number
        self.register_buffer(name, torch.tensor(number), persistent=False)
        return number

    def _count(self, name: str, value: int, minimum: int = 1) -> int:
        """Check a number of steps; store it as the option and as the buffer ``name``."""
        number = _validation.integer(name, value, minimum)
        self.options[name] = number
        self.register_buffer(name, torch.tensor(number), persistent=False)
        return number


def enough(items: int, smallest: int, most: float = math.inf, what: str = "a batch") -> None:
    """Check the number of items of a batch, or of half a batch.

    Raises
    ------
    ValueError
        If there are fewer items than the estimate takes, or more.
    """
    if not smallest <= items <= most:
        takes = f"{smallest} to n_data = {most}" if most < math.inf else f"at least {smallest}"
        raise ValueError(f"{what} takes {takes} items here, got {items}")
