"""A run folder: the description of a run, its progress, its checkpoints, and how to resume it."""

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
from fastdis.training.config import MEASURE, TrainConfig, with_tune
from fastdis.training.state import TrainState

BEST, LAST, PREVIOUS = "best.safetensors", "last.safetensors", "previous.safetensors"
CONFIG, LOG, PLAN = "config.json", "log.jsonl", "plan.json"
_PROBE = "probe.json"  # written before the first step, to see that the folder can be written
# Choices of a TrainConfig that do not change what is learned.
_INCIDENTAL = ("path", "progress", "tensorboard", "device")


def folder_name(values: Mapping[str, Any]) -> str:
    """The name of a run's folder: the values in which it differs from the runs beside it.

    >>> folder_name({"beta": 4.0, "seed": 0})
    'beta=4.0_seed=0'
    """
    return "_".join(f"{key}={value}" for key, value in values.items())


@dataclass
class Progress:
    """How far a run got; the checkpoint holds all of it, under these names.

    ``step``, ``seconds``, ``waited`` (for batches), ``clips`` and ``sums`` (of each term times its
    clips) are of the unfinished epoch; ``epoch`` is the number of finished ones.
    """

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    clips: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float = math.inf

    def next_epoch(self) -> None:
        """Count the epoch as finished, and begin the next one."""
        self.epoch, self.step, self.clips, self.sums = self.epoch + 1, 0, 0, {}
        self.seconds = self.waited = 0.0


def describe(model: Any, objective: Any, dataset: Any, config: Any) -> dict[str, Any]:
    """The contents of ``config.json``: all that is needed to make the same run again."""
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
        The first such term.
    epoch, step : int
        Counted from 1; for a term of the validation the last step of the epoch.
    indices : ndarray of int64 (B,)
        The clips of that batch, or the held-out clips.
    config : TrainConfig
        That of the run, which may be one of many.
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
        """Make the folder, and keep other processes from writing to it; an OSError if it cannot."""
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
                message = f"path takes a folder that can be written, got {self.path}: {error}"
                raise type(error)(message) from error
            if self._writer is not None:
                self._events = self._writer(str(self.path))
                held.callback(self._events.close)
            yield

    def check_same_run(self, description: dict[str, Any]) -> None:
        """Write the description; a ValueError if the folder holds one of another run."""
        if self.path is None or not self.writes:
            return
        _files.remove_partial(self.path)
        config = self.path / CONFIG
        if config.exists():
            before = _files.read_json(config, "a run's config.json")
            with _files.reading(config, "a run's config.json", (AttributeError, TypeError)):
                _check_same_run(config, before, description)
                description = _with_former_choices(before, description)
        _files.write_json(config, description)

    def resume(
        self, model: Any, objective: Any, optimizers: list[torch.optim.Optimizer],
        device: torch.device, position: tuple[int, int] | None = None,
    ) -> Progress | None:  # fmt: skip
        """Load the newest checkpoint that is whole; None if there is none.

        With a ``position`` (an epoch and a step of it) only a checkpoint of that position.
        """
        progress: Progress | None = None
        if self.path is None:
            return progress
        for path, tensors, state in checkpoints.load_newest(self.path / LAST, self.path / PREVIOUS):
            if position in (None, (state["epoch"], state["step"])):
                progress = _restore(path, tensors, state, model, objective, optimizers, device)
                break
        if self.writes and (progress is not None or position is None):
            with _files.replacing(self.path / LOG) as partial:
                history = progress.history if progress is not None else []
                rows = "".join(json.dumps(row) + "\n" for row in history)
                partial.write_text(rows, encoding="utf-8")
        return progress

    def plan(self, device: torch.device) -> dict[str, Any] | None:
        """The contents of ``plan.json``, or None if it is missing or of another device.

        A ValueError if the file is damaged.
        """
        if self.path is None or not (self.path / PLAN).exists():
            return None
        saved: dict[str, Any] = _files.read_json(self.path / PLAN, "a run's plan.json")
        with _files.reading(self.path / PLAN, "a run's plan.json", (KeyError, TypeError)):
            choice = Choice.from_dict(saved).to_dict()
            return choice if saved["device"] == device.type else None

    def save_plan(self, choice: Choice, device: torch.device) -> None:
        """Write ``plan.json``, which a run that goes on keeps."""
        if self.path is not None and self.writes:
            _files.write_json(self.path / PLAN, {"device": device.type, **choice.to_dict()})

    def save_last(
        self, model: Any, objective: Any, optimizers: list[torch.optim.Optimizer],
        progress: Progress,
    ) -> None:  # fmt: skip
        """Write all that is needed to go on from here; the checkpoint before it is kept."""
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
        state = asdict(progress)
        if not math.isfinite(progress.best_loss):  # JSON has no infinity
            state["best_loss"] = None
        checkpoints.save_rotating(self.path / LAST, self.path / PREVIOUS, tensors, state)

    def save_best(self, model: Any, progress: Progress) -> None:
        """Write the weights of the best epoch so far."""
        if self.path is not None and self.writes:
            state = {"history": progress.history, "best_epoch": progress.best_epoch}
            checkpoints.save(self.path / BEST, checkpoints.of_module("model", model), state)

    def log(self, row: dict[str, Any]) -> None:
        """Append one epoch to ``log.jsonl``."""
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
    if state["best_loss"] is None:
        state["best_loss"] = math.inf
    return Progress(**state)


def _tensorboard() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ImportError("tensorboard=True needs: pip install 'fastdis[tensorboard]'") from error
    return SummaryWriter


def _check_same_run(path: Path, before: Any, description: dict[str, Any]) -> None:
    """Raise an error that names the first difference; a run may only get more epochs."""
    config = description["config"]
    if before.get("config", {}).get("epochs", 0) > config["epochs"]:
        raise ValueError(
            f"epochs takes at least the {before['config']['epochs']} of the run in {path.parent}, "
            f"got {config['epochs']}"
        )
    for part in ("model", "objective", "dataset", "config"):
        was, now = before.get(part, {}), description[part]
        if part == "config":
            was = with_tune(was, now)
        for key in sorted(was.keys() | now.keys()):
            # Compared as JSON, which returns a tuple as a list.
            free = key == "epochs" and config["schedule"] == "constant"
            if was.get(key) != json.loads(json.dumps(now.get(key))) and not free:
                raise ValueError(
                    f"path {path.parent} holds another run: {part} {key} was {was.get(key)!r}, "
                    f"is {now.get(key)!r}"
                )


def _with_former_choices(before: Any, description: dict[str, Any]) -> dict[str, Any]:
    """What a run from before ``tune`` asked to be measured stays so in its ``config.json``.

    Its ``plan.json`` holds what was chosen, and the run goes on with that.
    """
    former = before["config"]
    measured = {key: value for key, value in former.items() if value == MEASURE}
    if "tune" in former or not measured:
        return description
    config = {key: value for key, value in description["config"].items() if key != "tune"}
    return {**description, "config": {**config, **measured}}


@dataclass(eq=False)
class Run(TrainState):
    """A train state with its run folder and its progress."""

    folder: RunFolder = field(default_factory=lambda: RunFolder(None))
    progress: Progress = field(default_factory=Progress)

    @property
    def done(self) -> bool:
        """Whether all epochs are finished, or the validation loss has stopped improving."""
        config: TrainConfig = self.config
        epoch, best = self.progress.epoch, self.progress.best_epoch
        stops_early = config.patience is not None and epoch - best >= config.patience
        return stops_early or epoch >= config.epochs

    @property
    def position(self) -> tuple[int, int]:
        """The number of finished epochs, and of steps of the next one."""
        return self.progress.epoch, self.progress.step

    @property
    def parts(self) -> tuple[Any, objectives.Objective, list[torch.optim.Optimizer]]:
        """What a checkpoint holds beside the progress."""
        return self.model, self.objective, self.optimizers
