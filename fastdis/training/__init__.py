"""Train models: one readable loop, for one model or for many at once, that resumes exactly."""

from fastdis._devices import check_device
from fastdis.training.batches import split
from fastdis.training.config import TrainConfig
from fastdis.training.evaluation import evaluate
from fastdis.training.exporting import export, load_exported
from fastdis.training.loop import train
from fastdis.training.many import train_many
from fastdis.training.run_folder import NonFiniteLossError
from fastdis.training.trained import TrainResult, dataset_options, encode, load

__all__ = [
    "NonFiniteLossError", "TrainConfig", "TrainResult", "check_device", "dataset_options", "encode",
    "evaluate", "export", "load", "load_exported", "split", "train", "train_many",
]  # fmt: skip
