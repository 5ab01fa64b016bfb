"""The train state of one model: the model, its objective, their optimizers and learning rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fastdis.training.step import ExecutionPlan


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


def optimizers_of(
    of_model: Sequence[Tensor], of_objective: Sequence[Tensor], of_adversary: Sequence[Tensor],
    config: Any, device: torch.device,
) -> list[torch.optim.Optimizer]:  # fmt: skip
    """One optimizer of the model and the objective, and one of the adversary, if there is one.

    The objective's weights do not decay. The optimizers' state is made before the first step, so
    that a checkpoint can be copied into it.
    """
    cls = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    on_gpu = device.type == "cuda"

    def rate(value: float) -> Any:
        # A captured step reads its learning rate from the device.
        return torch.tensor(value, device=device) if on_gpu else value

    shared: dict[str, Any] = {"fused": True, "capturable": on_gpu}
    result: list[torch.optim.Optimizer] = [
        cls(
            [
                {"params": list(of_model), "weight_decay": config.weight_decay},
                *([{"params": list(of_objective), "weight_decay": 0.0}] if of_objective else []),
            ],
            lr=rate(config.learning_rate),
            **shared,
        )
    ]
    if of_adversary:
        result.append(
            torch.optim.Adam(
                of_adversary,
                lr=rate(config.discriminator_learning_rate),
                betas=(0.5, 0.9),
                **shared,
            )
        )
    for optimizer in result:
        # torch warns of capturable optimizers that step outside a CUDA graph: the first ones do.
        optimizer._warned_capturable_if_run_uncaptured = True
        for group in optimizer.param_groups:
            group["full_rate"], group["share"] = float(group["lr"]), 1.0
            for weight in group["params"]:
                optimizer.state[weight] = _fresh(weight)
    return result


def _fresh(weight: Tensor) -> dict[str, Tensor]:
    """Adam's state before its first step, as a fused step has it, with the weight's strides."""
    return {
        "step": torch.zeros((), dtype=torch.float32, device=weight.device),
        "exp_avg": torch.zeros_like(weight, memory_format=torch.preserve_format),
        "exp_avg_sq": torch.zeros_like(weight, memory_format=torch.preserve_format),
    }


def set_rates(optimizers: Sequence[torch.optim.Optimizer], share: float) -> None:
    """Set every learning rate to a share of its full value."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            if group["share"] == share:
                continue
            group["share"] = share
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(share * group["full_rate"])
            else:
                group["lr"] = share * group["full_rate"]
