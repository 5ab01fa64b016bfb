"""A model small enough for closed forms, and every objective with options that reach its code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from fastdis import objectives

D = 3  # codes


class Tiny(nn.Module):
    """Reads its posteriors off x ``(B, 1, 2, D)``: a row of means, a row of log-variances.

    With a seed its weights are drawn instead, so that x is not the posterior.
    """

    latent_dim = D
    input_shape = (1, 2, D)

    def __init__(self, seed: int | None = None) -> None:
        super().__init__()
        self.encoder = nn.Linear(2 * D, 2 * D, dtype=torch.float64)
        self.decoder = nn.Linear(D, 2 * D, dtype=torch.float64)
        generator = torch.Generator().manual_seed(seed or 0)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(0.5 * torch.randn(weight.shape, generator=generator))
            if seed is None:
                self.encoder.weight.copy_(torch.eye(2 * D))
                self.encoder.bias.zero_()

    def encode(self, x):
        mean, logvar = self.encoder(x.flatten(1)).split(D, dim=1)
        return mean, logvar

    def decode(self, z):
        return torch.sigmoid(self.decoder(z)).unflatten(1, (1, 2, D))

    def sample(self, mean, logvar, noise):
        return mean + noise * torch.exp(0.5 * logvar)

    def forward(self, x, noise):
        mean, logvar = self.encode(x)
        z = self.sample(mean, logvar, noise)
        return self.decode(z), mean, logvar, z


class Pair(nn.Module):
    """A model and its objective, as they are trained together."""

    def __init__(self, model, objective):
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, x, noise, step):
        return self.objective(self.model, x, noise, step)


def ready(name, n_data=100, *, hidden=8, seed=1, **options):
    """An objective after :meth:`prepare`, in float64, its discriminator a small one."""
    objective = objectives.build(name, **options)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        objective.prepare(D, n_data)
        if objective.adversary is not None:
            objective.discriminator = objectives.Discriminator(D, hidden)
    return objective.double()


def batch(size=8, seed=0):
    """x in [0, 1] and noise for up to two draws, float64."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(size, 1, 2, D, generator=generator, dtype=torch.float64)
    return x, torch.randn(2, size, D, generator=generator, dtype=torch.float64)


@contextmanager
def one_thread() -> Iterator[None]:
    """For loops of small steps, to which a second thread is a burden."""
    with torch_threads(1):
        yield


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Torch on so many threads, and on as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


FOUR = ("vae", "beta_vae", "factor_vae", "beta_tcvae")
# Each with a second set of options, which differs from the first in what weighs terms alone.
CASES = {
    "vae": ("vae", {}, {"variance": 0.3}),
    "beta_vae": ("beta_vae", {"beta": 2.0}, {"beta": 8.0}),
    "factor_vae": ("factor_vae", {"gamma": 3.0}, {"gamma": 30.0}),
    "beta_tcvae": ("beta_tcvae", {"alpha": 0.5}, {"alpha": 2.0, "beta": 1.5}),
    "weighted sampling": ("beta_tcvae", {"estimator": "mws"}, {"estimator": "mws", "gamma": 2.0}),
    # At step 3 C is near the mean KL of a batch, so that parts of it lie on both sides.
    "annealed_vae": (
        "annealed_vae", {"steps": 10, "capacity": 5.6},
        {"steps": 20, "capacity": 2.0, "gamma": 3.0},
    ),
    "dip_vae_i": ("dip_vae_i", {}, {"lambda_od": 1.0, "lambda_d": 2.0}),
    "dip_vae_ii": ("dip_vae_ii", {}, {"lambda_od": 1.0, "lambda_d": 2.0}),
    "info_vae": ("info_vae", {}, {"alpha": 0.5, "lambda_z": 3.0}),
    "ada_gvae": ("ada_gvae", {}, {"beta": 3.0}),
    "one changed": ("ada_gvae", {"changed": 1}, {"changed": 1, "beta": 3.0}),
    "learned": ("vae", {"likelihood": "gaussian_learned"}, {"likelihood": "gaussian_learned"}),
    "bernoulli": ("beta_vae", {"likelihood": "bernoulli"}, {"likelihood": "bernoulli", "beta": 1}),
    "laplace": ("vae", {"likelihood": "laplace"}, {"likelihood": "laplace", "variance": 0.3}),
    "linear": (
        "info_vae", {"kl_schedule": "linear", "kl_steps": 10},
        {"kl_schedule": "linear", "kl_steps": 7},
    ),
    "cyclical": (
        "beta_tcvae", {"kl_schedule": "cyclical", "kl_steps": 4},
        {"kl_schedule": "cyclical", "kl_steps": 20},
    ),
    "free bits": ("factor_vae", {"free_bits": 0.2}, {"free_bits": 0.3}),
    **{f"published {name}": (name, {"protocol": "published"}, {"protocol": "published"})
       for name in FOUR},
}  # fmt: skip
