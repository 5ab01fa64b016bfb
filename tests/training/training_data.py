"""Small runs whose every step is a millisecond: a data set that notes what is asked of it."""

from __future__ import annotations

import functools
import os
import threading

import numpy as np
import torch

from fastdis import TrainConfig, models, objectives
from fastdis.datasets import Dataset
from fastdis.factors import Factor, FactorSpace

SHAPE = (1, 8, 8)
# Named, as what is measured may differ from run to run.
EXACT = {"compile": "never", "memory_format": "contiguous", "dtype": "float64"}


class Noted(Dataset):
    """Random features of a grid of three factors; ``asked`` holds the indices of every request.

    At request number ``stop[0]`` the process sends itself the signal ``stop[1]``.
    """

    sample_rate = 16000
    feature_shape = SHAPE

    def __init__(self, levels=(5, 3, 3), stop=None):
        self.space = FactorSpace(
            [Factor(f"factor{k}", list(range(n))) for k, n in enumerate(levels)]
        )
        self.asked, self.stop = [], stop

    def __len__(self):
        return self.space.size

    def table(self, indices=None):
        return self.space.grid(np.arange(len(self))[slice(None) if indices is None else indices])

    def features(self, indices):
        rows = np.arange(len(self))[indices]
        self.asked.append(rows)
        if self.stop is not None and len(self.asked) == self.stop[0]:
            os.kill(os.getpid(), self.stop[1])
        each = [np.random.default_rng((7, row)).random(SHAPE, np.float32) for row in rows]
        return np.stack(each) if each else np.empty((0, *SHAPE), np.float32)

    def options(self):
        return {"name": "noted", "levels": list(self.space.shape)}

    def audio(self, indices):
        raise NotImplementedError("there is no sound")

    def features_of(self, audio):
        raise NotImplementedError("there is no sound")

    def to_audio(self, features):
        raise NotImplementedError("there is no sound")


# Of FactorVAE; its own makes checkpoints of 60 MB.
small_discriminator = functools.partial(objectives.Discriminator, hidden=8)


def parts(name="vae", seed=0, **options):
    """A small model and an objective."""
    model = models.build("conv3", 3, SHAPE, channels=(3,), hidden=(8,), seed=seed)
    return model, objectives.build(name, **options)


def config(path=None, **options):
    """Two epochs, exactly repeatable, in float64."""
    defaults = {"epochs": 2, "batch_size": 10, "progress": False, **EXACT, **options}
    return TrainConfig(path=None if path is None else str(path), **defaults)


def weights(result):
    """Of model and objective, by name."""
    both = (result.model, result.objective)
    return {
        f"{k}.{key}": value.detach().clone()
        for k, module in enumerate(both)
        for key, value in module.state_dict().items()
    }


def equal(one, two):
    """Whether weights are the same to the bit."""
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def losses(result):
    """Of each epoch, all terms in training and validation."""
    both = ("train", "validation")
    return [
        {f"{part} {key}": value for part in both for key, value in row[part].items()}
        for row in result.history
    ]


def helpers():
    """The threads that are making batches or training models; a progress bar's own stays."""
    names = ("fastdis-ahead", "fastdis-model")
    return [each.name for each in threading.enumerate() if each.name.startswith(names)]
