"""How to train: every choice in one frozen dataclass, checked when it is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastdis import _validation

MEASURE = "measure"
TUNE = ("never", MEASURE)
COMPILE = ("never", "always", MEASURE)
MEMORY_FORMATS = ("contiguous", "channels_last", MEASURE)
DTYPES = ("float32", "float64", "bfloat16", "tf32", MEASURE)
# How steps are computed without ``tune``: the same on every machine and in every run.
_UNTUNED = {"compile": "never", "memory_format": "channels_last", "dtype": "float32"}


@dataclass(frozen=True)
class TrainConfig:
    """How to train. By default a run depends on these choices alone, never on the clock.

    Attributes
    ----------
    epochs, batch_size
        Passes over the training clips, and clips per step (of all processes together).
    learning_rate, optimizer, weight_decay
        ``"adam"`` (Adam as the reference uses it) or ``"adamw"``. An objective's own weights, such
        as a learned variance, do not decay.
    schedule, warmup_steps
        The learning rate rises linearly over the first steps, then stays (``"constant"``) or falls
        to zero at the end along half a cosine (``"cosine"``; Loshchilov and Hutter 2017, eq. 5).
        So does that of a discriminator.
    discriminator_learning_rate
        Of an objective's discriminator, by Adam with betas (0.5, 0.9) (Kim and Mnih 2018).
    validation
        Share of the clips held out, in [0, 1); drawn with ``split_seed`` as scikit-learn's
        ``train_test_split`` draws it.
    seed
        Fixes the order of the clips and the noise, which are functions of the seed and the step.
    patience
        Stop after so many epochs without a better validation loss; None never stops early. An
        objective that anneals takes None: its losses at two steps have different weights.
    device
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...
    compile
        ``"never"``, ``"always"``, or ``"measure"``: ``torch.compile`` only where it is faster.
    memory_format
        ``"contiguous"``, ``"channels_last"``, or ``"measure"``: the faster one.
    dtype
        ``"float32"``, ``"float64"``, ``"bfloat16"`` (autocast; weights stay float32), ``"tf32"``
        (CUDA only), or ``"measure"``: the fastest of float32, bfloat16 and TF32 whose gradient on
        the first batch agrees with that of float32 to 2%.
    tune
        ``"never"``, or ``"measure"``: every one of ``compile``, ``memory_format`` and ``dtype``
        that has its default is measured, as if it were ``"measure"``, and :func:`train_many`
        measures the engine. A choice of another value is kept.
    path
        The run folder; None writes nothing.
    tensorboard
        Also write TensorBoard events into the run folder (needs ``fastdis[tensorboard]``).
    progress
        Show a progress bar with clips per second and every term of the loss.

    Notes
    -----
    What ``"measure"`` chooses depends on the machine and its load. It is kept in
    ``TrainResult.choice`` and in the run folder, for the rest of the run. Without it two runs on
    CPUs agree bit for bit on the same version of torch, kind of CPU and number of threads.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    weight_decay: float = 0.0
    schedule: str = "constant"
    warmup_steps: int = 0
    discriminator_learning_rate: float = 5e-5
    validation: float = 0.2
    split_seed: int = 42
    seed: int = 0
    patience: int | None = None
    device: str = "cpu"
    compile: str = _UNTUNED["compile"]
    memory_format: str = _UNTUNED["memory_format"]
    dtype: str = _UNTUNED["dtype"]
    tune: str = "never"
    path: str | None = None
    tensorboard: bool = False
    progress: bool = True

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            _validation.integer(name, getattr(self, name))
        for name in ("split_seed", "seed"):
            _validation.integer(name, getattr(self, name), 0, 2**32 - 1)
        for name in ("learning_rate", "discriminator_learning_rate"):
            _validation.number(name, getattr(self, name), above=0.0)
        _validation.integer("warmup_steps", self.warmup_steps, 0)
        _validation.number("weight_decay", self.weight_decay, minimum=0.0)
        _validation.number("validation", self.validation, minimum=0.0, maximum=0.99)
        for name, allowed in (
            ("optimizer", ("adam", "adamw")),
            ("schedule", ("constant", "cosine")),
            ("compile", COMPILE),
            ("memory_format", MEMORY_FORMATS),
            ("dtype", DTYPES),
            ("tune", TUNE),
        ):
            _validation.choice(name, getattr(self, name), allowed)
        if self.dtype == "tf32" and not self.device.startswith("cuda"):
            raise ValueError(
                f"dtype takes 'tf32' on a CUDA device only, got device {self.device!r}"
            )
        if self.patience is not None:
            _validation.integer("patience", self.patience)
            if self.validation == 0.0:
                raise ValueError("patience takes None where validation is 0: nothing is held out")
        if self.tensorboard and self.path is None:
            raise ValueError("tensorboard takes a run folder: set path")

    def requested(self, name: str) -> str:
        """The value of ``compile``, ``memory_format`` or ``dtype``; ``tune`` makes it "measure"."""
        value: str = getattr(self, name)
        return MEASURE if self.tune == MEASURE and value == _UNTUNED[name] else value

    def rate_share(self, step: int, steps: int) -> float:
        """The share of the full learning rate at step ``step`` of ``steps``."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.schedule == "constant" or steps <= self.warmup_steps:
            return 1.0
        return 0.5 + 0.5 * math.cos(
            math.pi * (step - self.warmup_steps) / (steps - self.warmup_steps)
        )


def with_tune(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The choices of an earlier run, as they compare with those of ``now``.

    Runs from before ``tune`` have ``"measure"`` by default: they go on with today's default, and
    keep what was chosen for them.
    """
    if "tune" in before or "tune" not in now:
        return dict(before)
    kept = {
        name: now[name]
        for name, default in _UNTUNED.items()
        if before.get(name) == MEASURE and now[name] in (MEASURE, default)
    }
    return {**before, **kept, "tune": now["tune"]}
