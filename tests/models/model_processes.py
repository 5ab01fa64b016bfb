"""Every registered model in several processes, of which one may be without a clip of a batch."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import distributed

from fastdis import objectives, train
from tests.forks import telling
from tests.models.model_data import NAMES, small
from tests.training.training_data import Noted, config, losses, weights


def run(name, batch_size, folder=None, epochs=3):
    """Some epochs of a small model on 36 clips."""
    settings = config(folder, epochs=epochs, batch_size=batch_size)
    return train(small(name), objectives.build("vae"), Noted(), settings)


def member(rank, size, meeting):
    """Train each with a last batch of one clip; then one with dropout in two goes."""
    with telling(Path(meeting) / f"{rank}.json") as report:
        distributed.init_process_group(
            "gloo", init_method=f"file://{meeting}/place", rank=rank, world_size=size
        )
        try:
            for name in NAMES:
                report[name] = losses(run(name, 7))
            run("cnn", 6, f"{meeting}/broken", epochs=1)
            broken, whole = run("cnn", 6, f"{meeting}/broken"), run("cnn", 6)
            theirs = weights(whole)
            report["different"] = [
                key
                for key, weight in weights(broken).items()
                if "running" not in key and not torch.equal(weight, theirs[key])
            ]
        finally:
            distributed.destroy_process_group()
