"""A run folder: what was trained, how far it got, and how to go on from there."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fastdis import _files, objectives
from fastdis.training import checkpoints
from fastdis.training.autotune import Choice
from fastdis.training.config import TrainConfig
from fastdis.training.state import Trainee

BEST, LAST, PREVIOUS = "best.safetensors", "last.safetensors", "previous.safetensors"
CONFIG, LOG, PLAN = "config.json", "log.jsonl", "plan.json"
_PROBE = "probe.json"  # whether the folder can be written, asked before the first step
# Choices of a TrainConfig that change nothing of what is learned.
_INCIDENTAL = ("path", "progress", "tensorboard", "device")


def folder_name(values: Mapping[str, Any]) -> str:
    """What tells a run from those beside it, as the name of its folder.

    >>> folder_name({"beta": 4.0, "seed": 0})
    'beta=4.0_seed=0'
    """
    return "_".join(f"{key}={value}" for key, value in values.items())


@dataclass
class Progress:
    """Where a run stands; all of it is in the checkpoint."""

    epoch: int = 0  # finished epochs
    step: int = 0  # finished steps of the epoch under way
    seconds: float = 0.0  # spent in it
    waited: float = 0.0  # of them, for batches
    clips: int = 0
    sums: dict[str, float] = field(default_factory=dict)  # of each term times its clips
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = math.inf

    def next_epoch(self) -> None:
        """One more is finished."""
        self.epoch, self.step, self.clips, self.sums = self.epoch + 1, 0, 0, {}
        self.seconds = self.waited = 0.0


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


class NonFiniteLossError(FloatingPointError):
    """A term of the loss is infinite or NaN; the last good checkpoint stays.

    Attributes
    ----------
    term : str
        The first that is.
    epoch, step : int
        Where, counted from 1; after the last step of an epoch, for a term of the validation.
    indices : ndarray of int64 (B,)
        The clips of that batch, or those held out.
    config : TrainConfig
        Of the run, which may be one of many.
    """

    def __init__(
        self, term: str, value: float, epoch: int, step: int, indices: NDArray[np.int64],
        config: Any, part: str = "batch",
    ) -> None:  # fmt: skip
        self.term, self.epoch, self.step, self.indices = term, epoch, step, indices
        self.config = config
        shown = ", ".join(map(str, indices[:8].tolist())) + (", ..." if len(indices) > 8 else "")
        super().__init__(
            f"term {term!r} of the loss is {value} at step {step} of epoch {epoch}, seed "
            f"{config.seed}; the {part} held the clips {shown} ({len(indices)} in all)"
        )


class RunFolder:
    """The files of one run; nothing is written where ``path`` is None or ``writes`` is False."""

    def __init__(self, path: str | None, *, writes: bool = True, tensorboard: bool = False) -> None:
        self.path = Path(path) if path is not None else None
        self.writes = writes and path is not None
        self._events: Any = None
        self._writer = _tensorboard() if tensorboard and self.writes else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The folder is made, and no other process writes to it meanwhile.

        Raises
        ------
        OSError
            If it cannot be written, or another process is at it.
        """
        if self.path is None or not self.writes:
            yield
            return
        with ExitStack() as held:
            try:
                held.enter_context(_files.only_writer(self.path))
                _files.write_json(self.path / _PROBE, {})
                (self.path / _PROBE).unlink()
            except BlockingIOError:
                raise
            except OSError as error:
                told = f"path takes a folder that can be written, got {self.path}: {error}"
                raise type(error)(told) from error
            if self._writer is not None:
                self._events = self._writer(str(self.path))
                held.callback(self._events.close)
            yield

    def hold_against(self, told: dict[str, Any]) -> None:
        """Write the description, or hold it against what is there.

        Raises
        ------
        ValueError
            If the folder holds another run; the error names the first difference.
        """
        if self.path is None or not self.writes:
            return
        _files.remove_partial(self.path)
        config = self.path / CONFIG
        if config.exists():
            before = _files.read_json(config, "a run's config.json")
            with _files.reading(config, "a run's config.json", (AttributeError, TypeError)):
                _hold_against(config, before, told)
        _files.write_json(config, told)

    def resume(
        self, model: Any, objective: Any, optimizers: list[torch.optim.Optimizer],
        device: torch.device, place: tuple[int, int] | None = None,
    ) -> Progress | None:  # fmt: skip
        """Load where the run stopped, from the newest checkpoint that is whole.

        With a ``place``, an epoch and a step of it, only from a checkpoint there. None if there is
        no such checkpoint.
        """
        at: Progress | None = None
        if self.path is None:
            return at
        for path, tensors, state in checkpoints.load_newest(self.path / LAST, self.path / PREVIOUS):
            if place in (None, (state["epoch"], state["step"])):
                at = _restore(path, tensors, state, model, objective, optimizers, device)
                break
        if self.writes and (at is not None or place is None):
            with _files.replacing(self.path / LOG) as partial:
                history = at.history if at is not None else []
                rows = "".join(json.dumps(row) + "\n" for row in history)
                partial.write_text(rows, encoding="utf-8")
        return at

    def plan(self, device: torch.device) -> dict[str, Any] | None:
        """How the steps of the run were computed so far, if that was on such a device.

        Raises
        ------
        ValueError
            If the file is damaged.
        """
        if self.path is None or not (self.path / PLAN).exists():
            return None
        told: dict[str, Any] = _files.read_json(self.path / PLAN, "a run's plan.json")
        with _files.reading(self.path / PLAN, "a run's plan.json", (KeyError, TypeError)):
            choice = Choice.from_dict(told).to_dict()
            return choice if told["device"] == device.type else None

    def save_plan(self, told: dict[str, Any]) -> None:
        """For a run that goes on."""
        if self.path is not None and self.writes:
            _files.write_json(self.path / PLAN, told)

    def save_last(
        self, model: Any, objective: Any, optimizers: list[torch.optim.Optimizer], at: Progress
    ) -> None:
        """Everything needed to go on from ``at``; the checkpoint before it is kept."""
        if self.path is None or not self.writes:
            return
        tensors = {
            **checkpoints.of_module("model", model),
            **checkpoints.of_module("objective", objective),
            "rng.cpu": torch.get_rng_state(),
        }
        device = next(model.parameters()).device
        if device.type == "cuda":
            tensors["rng.cuda"] = torch.cuda.get_rng_state(device)
        for number, optimizer in enumerate(optimizers):
            tensors |= checkpoints.of_optimizer(f"optimizer{number}", optimizer)
        state = asdict(at)
        state["best_loss"] = at.best_loss if math.isfinite(at.best_loss) else None
        checkpoints.save_rotating(self.path / LAST, self.path / PREVIOUS, tensors, state)

    def save_best(self, model: Any, at: Progress) -> None:
        """The weights of the best epoch so far."""
        if self.path is not None and self.writes:
            state = {"history": at.history, "best_epoch": at.best_epoch}
            checkpoints.save(self.path / BEST, checkpoints.of_module("model", model), state)

    def log(self, row: dict[str, Any]) -> None:
        """One more epoch in ``log.jsonl``."""
        if self.path is None or not self.writes:
            return
        with open(self.path / LOG, "a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        if self._events is not None:
            for part in ("train", "validation"):
                for key, value in row[part].items():
                    self._events.add_scalar(f"{key}/{part}", value, row["epoch"])
            self._events.add_scalar("clips_per_second", row["clips_per_second"], row["epoch"])


def _restore(
    path: Path, tensors: dict[str, torch.Tensor], state: dict[str, Any], model: Any,
    objective: Any, optimizers: list[torch.optim.Optimizer], device: torch.device,
) -> Progress:  # fmt: skip
    checkpoints.into_module("model", model, tensors, path)
    checkpoints.into_module("objective", objective, tensors, path)
    for number, optimizer in enumerate(optimizers):
        checkpoints.into_optimizer(f"optimizer{number}", optimizer, tensors)
    torch.set_rng_state(tensors["rng.cpu"])
    if "rng.cuda" in tensors and device.type == "cuda":
        torch.cuda.set_rng_state(tensors["rng.cuda"], device)
    if state["best_loss"] is None:  # JSON has no infinity
        state["best_loss"] = math.inf
    return Progress(**state)


def _tensorboard() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError("tensorboard=True needs: pip install 'fastdis[tensorboard]'") from error
    return SummaryWriter


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
            free = key == "epochs" and told["config"].get("schedule") == "constant"
            if was.get(key) != json.loads(json.dumps(now.get(key))) and not free:
                raise ValueError(
                    f"path {path.parent} holds another run: {part} {key} was {was.get(key)!r}, "
                    f"is {now.get(key)!r}"
                )


@dataclass(eq=False)
class Run(Trainee):
    """A trainee, its folder, and where it stands."""

    folder: RunFolder = field(default_factory=lambda: RunFolder(None))
    at: Progress = field(default_factory=Progress)

    @property
    def done(self) -> bool:
        config: TrainConfig = self.config
        tired = (
            config.patience is not None and self.at.epoch - self.at.best_epoch >= config.patience
        )
        return tired or self.at.epoch >= config.epochs

    @property
    def place(self) -> tuple[int, int]:
        return self.at.epoch, self.at.step

    @property
    def state(self) -> tuple[Any, objectives.Objective, list[torch.optim.Optimizer]]:
        """What a checkpoint holds."""
        return self.model, self.objective, self.optimizers
