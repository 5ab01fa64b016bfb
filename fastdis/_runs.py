"""A run folder: what was trained, how far it got, and how to go on from there."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from fastdis import _checkpoints, _files

BEST, LAST, CONFIG, LOG = "best.safetensors", "last.safetensors", "config.json", "log.jsonl"
# Choices of a TrainConfig that change nothing of what is learned.
_INCIDENTAL = ("path", "progress", "tensorboard", "device")


@dataclass
class Progress:
    """Where a run stands; all of it is in the checkpoint."""

    epoch: int = 0  # finished epochs
    step: int = 0  # finished steps of the epoch under way
    seconds: float = 0.0  # spent in it
    clips: int = 0
    sums: dict[str, float] = field(default_factory=dict)  # of each term times its clips
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = math.inf


def describe(model: Any, objective: Any, dataset: Any, config: Any) -> dict[str, Any]:
    """What ``config.json`` says: all that is needed to make the same run again."""
    return {
        "model": model.options(),
        "objective": {
            "name": objective.name,
            "protocol": objective.protocol,
            "options": dict(objective.options),
        },
        "dataset": dataset.options(),
        "config": {k: v for k, v in asdict(config).items() if k not in _INCIDENTAL},
        "n_train": objective.n_data,
    }


class RunFolder:
    """The files of one run; every method does nothing where ``path`` is None."""

    def __init__(self, path: str | None) -> None:
        self.path = Path(path) if path is not None else None

    def resume(
        self, told: dict[str, Any], model: Any, objective: Any,
        optimizers: list[torch.optim.Optimizer], device: torch.device,
    ) -> Progress:  # fmt: skip
        """Write the description, or hold it against what is there and load where it stopped."""
        if self.path is None:
            return Progress()
        self.path.mkdir(parents=True, exist_ok=True)
        _files.remove_partial(self.path)
        config = self.path / CONFIG
        if config.exists():
            before = _files.read_json(config, "a run's config.json")
            with _files.reading(config, "a run's config.json", (AttributeError, TypeError)):
                _hold_against(config, before, told)
        _files.write_json(config, told)
        at = Progress()
        if (self.path / LAST).exists():
            at = self._load(model, objective, optimizers, device)
        with _files.replacing(self.path / LOG) as partial:
            rows = "".join(json.dumps(row) + "\n" for row in at.history)
            partial.write_text(rows, encoding="utf-8")
        return at

    def _load(
        self, model: Any, objective: Any, optimizers: list[torch.optim.Optimizer],
        device: torch.device,
    ) -> Progress:  # fmt: skip
        path = self.path / LAST  # type: ignore[operator]
        tensors, state = _checkpoints.load(path)
        _checkpoints.into_module("model", model, tensors, path)
        _checkpoints.into_module("objective", objective, tensors, path)
        for number, optimizer in enumerate(optimizers):
            _checkpoints.into_optimizer(f"optimizer{number}", optimizer, tensors)
        torch.set_rng_state(tensors["rng.cpu"])
        if "rng.cuda" in tensors and device.type == "cuda":
            torch.cuda.set_rng_state(tensors["rng.cuda"], device)
        if state["best_loss"] is None:  # JSON has no infinity
            state["best_loss"] = math.inf
        return Progress(**state)

    def save_last(
        self, model: Any, objective: Any, optimizers: list[torch.optim.Optimizer], at: Progress
    ) -> None:
        """Everything needed to go on from ``at``."""
        if self.path is None:
            return
        tensors = {
            **_checkpoints.of_module("model", model),
            **_checkpoints.of_module("objective", objective),
            "rng.cpu": torch.get_rng_state(),
        }
        device = next(model.parameters()).device
        if device.type == "cuda":
            tensors["rng.cuda"] = torch.cuda.get_rng_state(device)
        for number, optimizer in enumerate(optimizers):
            tensors |= _checkpoints.of_optimizer(f"optimizer{number}", optimizer)
        state = asdict(at)
        state["best_loss"] = at.best_loss if math.isfinite(at.best_loss) else None
        _checkpoints.save(self.path / LAST, tensors, state)

    def save_best(self, model: Any, at: Progress) -> None:
        """The weights of the best epoch so far."""
        if self.path is not None:
            state = {"history": at.history, "best_epoch": at.best_epoch}
            _checkpoints.save(self.path / BEST, _checkpoints.of_module("model", model), state)

    def log(self, row: dict[str, Any]) -> None:
        """One more epoch in ``log.jsonl``."""
        if self.path is not None:
            with open(self.path / LOG, "a", encoding="utf-8") as log:
                log.write(json.dumps(row) + "\n")


def _hold_against(path: Path, before: Any, told: dict[str, Any]) -> None:
    """An error that names the first difference; a run may only get more epochs."""
    if before.get("config", {}).get("epochs", 0) > told["config"]["epochs"]:
        raise ValueError(
            f"epochs takes at least the {before['config']['epochs']} of the run in {path.parent}, "
            f"got {told['config']['epochs']}"
        )
    for part in ("model", "objective", "dataset", "config"):
        was, now = before.get(part, {}), told[part]
        for key in sorted(was.keys() | now.keys()):
            # Through JSON, as a tuple comes back as a list.
            if was.get(key) != json.loads(json.dumps(now.get(key))) and key != "epochs":
                raise ValueError(
                    f"path {path.parent} holds another run: {part} {key} was {was.get(key)!r}, "
                    f"is {now.get(key)!r}"
                )
