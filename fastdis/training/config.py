"""How to train: every choice in one frozen dataclass, checked when it is made."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fastdis import _validation

MEASURE = "measure"
COMPILE = ("never", "always", MEASURE)
MEMORY_FORMATS = ("contiguous", "channels_last", MEASURE)
DTYPES = ("float32", "float64", "bfloat16", "tf32", MEASURE)


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Attributes
    ----------
    epochs, batch_size
        Passes over the training clips, and clips a step (of all processes together).
    learning_rate, optimizer, weight_decay
        ``"adam"`` (Adam as the reference uses it) or ``"adamw"``. An objective's own weights, such
        as a learned variance, do not decay.
    schedule, warmup_steps
        The learning rate rises linearly over the first steps, then stays (``"constant"``) or falls
        to zero at the end along half a cosine (``"cosine"``; Loshchilov and Hutter 2017, eq. 5).
        So does that of a discriminator.
    discriminator_learning_rate
        Of an objective's own network, by Adam with betas (0.5, 0.9) (Kim and Mnih 2018).
    validation
        Share of the clips held out, in [0, 1); drawn by ``split_seed`` as scikit-learn's
        ``train_test_split`` draws it.
    seed
        Fixes the order of the clips and the noise, which are functions of the seed and the step.
    patience
        Stop after so many epochs without a better validation loss; None never stops early. Not
        with an objective that anneals: its losses at two steps weigh different things.
    device
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...
    compile
        ``"never"``, ``"always"`` or ``"measure"``: ``torch.compile`` only where that is faster.
    memory_format
        ``"contiguous"``, ``"channels_last"``, or ``"measure"``: the faster one.
    dtype
        ``"float32"``, ``"float64"``, ``"bfloat16"`` (autocast; weights stay float32), ``"tf32"``
        (CUDA alone), or ``"measure"``: the fastest of all but float64 whose gradient, on the first
        batch, is that of float32 to 2%.
    path
        The run folder; None writes nothing.
    tensorboard
        Also write TensorBoard events into the run folder (needs ``fastdis[tensorboard]``).
    progress
        Show a progress bar with clips a second and every term of the loss.

    Notes
    -----
    What ``"measure"`` chose is in ``TrainResult.choice`` and in the run folder, and a run that goes
    on keeps it. It depends on the machine and its load. Two CPU runs that name these three choices
    agree bit for bit on one number of threads.
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
    compile: str = MEASURE
    memory_format: str = MEASURE
    dtype: str = MEASURE
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
        ):
            _validation.choice(name, getattr(self, name), allowed)
        if self.dtype == "tf32" and not self.device.startswith("cuda"):
            raise ValueError(f"dtype takes 'tf32' on a CUDA device alone, got device {self.device}")
        if self.patience is not None:
            _validation.integer("patience", self.patience)
            if self.validation == 0.0:
                raise ValueError("patience takes None where validation is 0: nothing is held out")
        if self.tensorboard and self.path is None:
            raise ValueError("tensorboard takes a run folder: set path")

    def rate_share(self, step: int, steps: int) -> float:
        """The share of the learning rate that step ``step`` of ``steps`` takes."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.schedule == "constant" or steps <= self.warmup_steps:
            return 1.0
        return 0.5 + 0.5 * math.cos(
            math.pi * (step - self.warmup_steps) / (steps - self.warmup_steps)
        )
