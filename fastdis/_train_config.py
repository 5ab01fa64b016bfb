"""How to train: every choice in one frozen dataclass, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass

from fastdis import _validation


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Attributes
    ----------
    epochs, batch_size
        Passes over the training clips, and clips a step.
    learning_rate, optimizer, weight_decay
        ``"adam"`` (Adam as the reference uses it) or ``"adamw"``.
    discriminator_learning_rate
        Of an objective's own network, by Adam with betas (0.5, 0.9) (Kim and Mnih 2018).
    validation
        Share of the clips held out, in [0, 1); drawn by ``split_seed`` as scikit-learn's
        ``train_test_split`` draws it.
    seed
        Fixes the order of the clips and the noise: two CPU runs agree bit for bit.
    patience
        Stop after so many epochs without a better validation loss; None never stops early.
    device
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...
    path
        The run folder; None writes nothing.
    tensorboard
        Also write TensorBoard events into the run folder (needs ``fastdis[tensorboard]``).
    progress
        Show a progress bar with clips a second and every term of the loss.
    """

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    weight_decay: float = 0.0
    discriminator_learning_rate: float = 5e-5
    validation: float = 0.2
    split_seed: int = 42
    seed: int = 0
    patience: int | None = None
    device: str = "cpu"
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
        _validation.number("weight_decay", self.weight_decay, minimum=0.0)
        _validation.number("validation", self.validation, minimum=0.0, maximum=0.99)
        _validation.choice("optimizer", self.optimizer, ("adam", "adamw"))
        if self.patience is not None:
            _validation.integer("patience", self.patience)
            if self.validation == 0.0:
                raise ValueError("patience takes None where validation is 0: nothing is held out")
        if self.tensorboard and self.path is None:
            raise ValueError("tensorboard takes a run folder: set path")
