"""What is trained: a model, its objective, its optimizers and the place where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fastdis.training.optimizers import optimizers_of
from fastdis.training.step import Plan


@dataclass
class Trainee:
    """A model, its objective and their optimizers, where the steps are taken."""

    model: Any
    objective: Any
    config: Any
    optimizers: list[torch.optim.Optimizer] = field(default_factory=list)

    def place_on(self, plan: Plan, device: torch.device) -> None:
        """Weights where and as the plan has them; new optimizers."""
        self.model.to(device, dtype=plan.kind, memory_format=plan.format)
        self.objective.to(device, dtype=plan.kind)
        self.optimizers = optimizers_of(*self.weights(), self.config, device)

    def weights(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """The model's, the objective's own that the loss trains, too, and its adversary's."""
        adversary = self.objective.adversary
        theirs = [] if adversary is None else list(adversary.parameters())
        names = {id(weight) for weight in theirs}
        own = [weight for weight in self.objective.parameters() if id(weight) not in names]
        return list(self.model.parameters()), own, theirs

    def train(self, mode: bool) -> None:
        """Dropout and batch statistics on, or off."""
        self.model.train(mode)
