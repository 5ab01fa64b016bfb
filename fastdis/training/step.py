"""One optimisation step: the terms of the loss, their gradients, the update of the weights.

A step takes the features, the noise and the number of steps before it, and returns the terms of the
loss without waiting for the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from fastdis.training.plan import ExecutionPlan, autocast, tensor_cores

Terms = dict[str, Tensor]
LossFunction = Callable[[Tensor, Tensor, Tensor], Terms]
Average = Callable[[Tensor], Tensor]


class LossTerms(nn.Module):
    """A model and its objective as one module: ``(x, noise, step)`` to the terms of the loss."""

    def __init__(self, model: nn.Module, objective: nn.Module) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, x: Tensor, noise: Tensor, step: Tensor) -> Terms:
        """The terms of one batch."""
        terms: Terms = self.objective(self.model, x, noise, step)
        return terms


class Step:
    """Forward pass, backward pass and update.

    Parameters
    ----------
    loss_terms
        ``(x, noise, step)`` to the terms of the loss, each a scalar or ``(M,)``.
    optimizers
        Of all weights that the terms depend on.
    plan, device
        How and where the step is computed.
    average
        In a group of processes: averages the gradients over the group, between backward pass and
        update. Takes the terms ``(T,)`` of this process and returns those of the whole batch.

    Attributes
    ----------
    keys : list of str
        The names of the terms of the last step.
    """

    def __init__(
        self, loss_terms: LossFunction, optimizers: Sequence[torch.optim.Optimizer],
        plan: ExecutionPlan, device: torch.device, average: Average | None = None,
    ) -> None:  # fmt: skip
        self.keys: list[str] = []
        self.optimizers, self.plan, self.device, self.average = optimizers, plan, device, average
        self.eager = loss_terms
        self.loss_terms = torch.compile(loss_terms, fullgraph=True) if plan.compiled else loss_terms

    def __call__(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """Take a step; returns the terms before the update, float64 ``(T,)`` or ``(T, M)``."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        with tensor_cores(self.plan, self.device):
            with autocast(self.plan, self.device):
                terms = self.loss_terms(x, noise, step)
            total = terms["loss"]
            if "discriminator" in terms:
                total = total + terms["discriminator"]
            torch.autograd.backward(total.sum())
        self.keys = list(terms)
        values = torch.stack(list(terms.values())).detach().double()
        if self.average is not None:
            values = self.average(values)
        for optimizer in self.optimizers:
            optimizer.step()
        return values

    def terms(self, x: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        """The same terms without an update."""
        with torch.no_grad(), tensor_cores(self.plan, self.device), autocast(
            self.plan, self.device
        ):  # fmt: skip
            terms = self.eager(x, noise, step)
        self.keys = list(terms)
        return torch.stack(list(terms.values())).double()

    def wait(self) -> None:
        """Let later work on the present CUDA stream wait for this step; nothing on a CPU."""

    def close(self) -> None:
        """Free what the step keeps on the device; nothing on a CPU."""
