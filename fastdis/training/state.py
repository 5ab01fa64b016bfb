"""The train state of one model: the model, its objective and their optimizers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fastdis.training.optimizers import optimizers_of
from fastdis.training.plan import ExecutionPlan


@dataclass
class TrainState:
    """A model, its objective and their optimizers."""

    model: Any
    objective: Any
    config: Any
    optimizers: list[torch.optim.Optimizer] = field(default_factory=list)

    def move_to(self, plan: ExecutionPlan, device: torch.device) -> None:
        """Move the weights to the device, in the plan's dtype and format; make new optimizers."""
        self.model.to(device, dtype=plan.torch_dtype, memory_format=plan.torch_memory_format)
        self.objective.to(device, dtype=plan.torch_dtype)
        self.optimizers = optimizers_of(*self.weights(), self.config, device)

    def weights(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """The weights of the model, of the objective's loss, and of the objective's adversary."""
        adversary = self.objective.adversary
        of_adversary = [] if adversary is None else list(adversary.parameters())
        names = {id(weight) for weight in of_adversary}
        of_objective = [each for each in self.objective.parameters() if id(each) not in names]
        return list(self.model.parameters()), of_objective, of_adversary

    def train(self, mode: bool) -> None:
        """Switch dropout and batch statistics on or off."""
        self.model.train(mode)
