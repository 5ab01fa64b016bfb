"""Runs that are killed at a moment of one's choice, each in a process of its own."""

from __future__ import annotations

import functools
import os
import signal
from pathlib import Path

from torch import nn

from fastdis import train, train_many
from fastdis.objectives import total_correlation
from fastdis.training.checkpoints import load
from tests.forks import telling
from tests.training.training_data import SHAPE, Noted, config, parts, small_discriminator


class Dropped(nn.Module):
    """A VAE of one's own, which draws from torch's generator."""

    latent_dim, input_shape = 3, SHAPE

    def __init__(self):
        super().__init__()
        self.inner, _ = parts()
        self.drop = nn.Dropout(0.3)

    def options(self):
        return {"name": "dropped"}

    def encode(self, x):
        return self.inner.encode(self.drop(x))

    def decode(self, z):
        return self.inner.decode(z)

    def sample(self, mean, logvar, noise):
        return self.inner.sample(mean, logvar, noise)

    def forward(self, x, noise):
        mean, logvar = self.encode(x)
        z = self.sample(mean, logvar, noise)
        return self.decode(z), mean, logvar, z


def exact(kind, folder, stop=None):
    """A run of six epochs of four steps, or two runs at once; the results."""
    name, engine = kind if isinstance(kind, list | tuple) else (kind, None)
    # In float32 a stack of two rounds otherwise than one of one, with these models in float64 not.
    dtype = "float32" if engine == "stacked" else "float64"
    settings = config(folder, epochs=6, schedule="cosine", warmup_steps=3, dtype=dtype)
    dataset = Noted(stop=stop)
    if engine is not None:
        return train_many(*parts(name), dataset, settings, seeds=[0, 1], engine=engine)
    model, objective = parts("vae" if name == "dropout" else name)
    return [train(Dropped() if name == "dropout" else model, objective, dataset, settings)]


def child(kind, folder, report, moment):
    """A run that dies at a moment, ``(what, the how many-th)``, unless that is None."""
    with telling(Path(report)) as note:
        total_correlation.Discriminator = small_discriminator
        what, count = moment or ("nothing", 0)
        stop = (count, getattr(signal, what)) if what.startswith("SIG") else None
        _die_writing(what, count)
        note["epochs"] = [len(result.history) for result in exact(kind, folder, stop)]


def _die_writing(what, count):
    """At the ``count``-th time that a checkpoint gets as far as that."""
    left = [count]

    def perhaps_die(where):
        left[0] -= where == what
        if where == what and left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    write, rename = Path.write_bytes, os.replace

    def write_bytes(path, data):
        if path.name.startswith("last"):
            write(path, data[: len(data) // 2])
            perhaps_die("half written")
        return write(path, data)

    @functools.wraps(rename)
    def replace(source, target):
        name = Path(target).stem
        perhaps_die(f"before {name}")
        rename(source, target)
        perhaps_die(f"after {name}")

    Path.write_bytes, os.replace = write_bytes, replace


def checkpoints(folder):
    """All that the last checkpoints below a folder hold, except the times."""
    found = {}
    for path in sorted(Path(folder).rglob("last.safetensors")):
        tensors, state = load(path)
        for row in state["history"]:
            for key in ("seconds", "waiting", "clips_per_second"):
                del row[key]
        found[str(path.relative_to(folder))] = tensors, state
    return found
