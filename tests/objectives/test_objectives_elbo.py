"""Likelihoods, KL divergences, schedules, free bits and capacity, by their definitions."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Laplace, Normal, kl_divergence

from fastdis import objectives
from fastdis.objectives import likelihoods
from tests.objectives.objective_data import D, Tiny, batch, one_thread, ready

N = 2 * D  # values an item


def _terms(name, step=0, size=8, **options):
    """Terms and what they were made of: x, x_hat, mean, logvar."""
    model, objective = Tiny(), ready(name, **options)
    x, noise = batch(size)
    with torch.no_grad():
        x_hat, mean, logvar, _ = model(x, noise[0])
        return objective(model, x, noise[: objective.draws], step), x, x_hat, mean, logvar


def _divergence(mean, logvar):
    """KL of each clip and code, by torch.distributions."""
    return kl_divergence(Normal(mean, torch.exp(0.5 * logvar)), Normal(0.0, 1.0))


@pytest.mark.parametrize(
    ("likelihood", "distribution", "left_out"),
    [
        ("gaussian", lambda m: Normal(m, 0.5), N / 2 * math.log(2 * math.pi * 0.25)),
        ("gaussian_learned", lambda m: Normal(m, 0.5), N / 2 * math.log(2 * math.pi)),
        # A variance of 0.25 is 2 b^2
        ("laplace", lambda m: Laplace(m, 0.125**0.5), N * math.log(2 * 0.125**0.5)),
    ],
)
def test_elbo_by_torch_distributions(likelihood, distribution, left_out):
    terms, x, x_hat, mean, logvar = _terms("vae", likelihood=likelihood, variance=0.25)
    expected = -distribution(x_hat).log_prob(x).sum() / len(x) - left_out
    assert terms["reconstruction"].item() == pytest.approx(expected.item(), rel=1e-6)
    expected = _divergence(mean, logvar).sum() / len(x)
    assert terms["kl"].item() == pytest.approx(expected.item(), rel=1e-12)


def test_bernoulli_by_torch_distributions_for_binary_features():
    model, objective = Tiny(), ready("vae", likelihood="bernoulli")
    x, noise = batch()
    x = x.round()
    expected = -Bernoulli(model(x, noise[0])[0]).log_prob(x).sum() / len(x)
    got = objective(model, x, noise[:1])["reconstruction"]
    assert got.item() == pytest.approx(expected.item(), rel=1e-12)
    assert objective.variance is None
    assert not list(objective.parameters())


def test_bernoulli_of_saturated_probabilities_is_finite_and_pulls_them_back():
    cost = likelihoods.bernoulli
    x, x_hat = torch.tensor([[1.0, 0.0, 1.0]]), torch.tensor([[0.0, 1.0, 1e-6]])
    x_hat.requires_grad_()
    value = cost(x, x_hat, None, objectives.Rows())
    assert value.item() == pytest.approx(2 * 24 * math.log(2) + 6 * math.log(10), rel=1e-6)
    value.backward()
    assert torch.isfinite(x_hat.grad).all()
    assert x_hat.grad[0, 2].item() == pytest.approx(-1e6)


def test_gradient_of_the_gaussian_likelihood_is_the_error_over_the_variance():
    x, x_hat = batch(seed=1)[0], batch(seed=2)[0].requires_grad_()
    objectives.reconstruction(x, x_hat, "sound", 0.25).backward()
    torch.testing.assert_close(x_hat.grad, (x_hat - x).detach() / (0.25 * len(x)))


def test_a_learned_variance_starts_where_it_is_set_and_ends_at_the_residual():
    objective = ready("vae", likelihood="gaussian_learned", variance=0.5)
    model = Tiny(3)

    def variance():
        return objectives.log_variance(objective.raw_variance).exp().item()

    assert variance() == pytest.approx(0.5, rel=1e-6)
    assert objective.adversary is None
    x, noise = batch(64)
    residual = (model(x, noise[0])[0] - x).square().mean().item()
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.05)
    with one_thread():
        for _ in range(300):
            optimizer.zero_grad()
            objective(model, x, noise[:1])["loss"].backward()
            optimizer.step()
    assert variance() == pytest.approx(residual, rel=1e-3)


def test_a_learned_variance_has_a_floor_where_the_reconstruction_is_perfect():
    raw = torch.tensor(-1000.0, requires_grad=True)
    x = torch.zeros(2, 3)
    cost = likelihoods.gaussian_learned(x, x, raw, objectives.Rows())
    assert cost.item() == pytest.approx(1.5 * likelihoods.FLOOR)
    cost.backward()
    assert raw.grad.isfinite()


def test_schedules_by_step():
    steps = torch.arange(13)
    rise = objectives.linear(steps, torch.tensor(8))
    assert rise.tolist() == [*(n / 8 for n in range(9)), 1.0, 1.0, 1.0, 1.0]
    cycles = objectives.cyclical(steps, torch.tensor(8))
    cycle = [0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0]
    assert cycles.tolist() == [*cycle, *cycle[:5]]
    assert objectives.cyclical(torch.tensor(2.0**24 + 2), torch.tensor(8)).item() == 0.5


@pytest.mark.parametrize(
    ("schedule", "step", "share"),
    [("linear", 0, 0.0), ("linear", 2, 0.25), ("linear", 100, 1.0), ("cyclical", 8, 0.0),
     ("cyclical", 9, 0.25), ("cyclical", 13, 1.0)],
)  # fmt: skip
@pytest.mark.parametrize(
    ("name", "annealed"),
    [("vae", ["kl"]), ("beta_vae", ["kl"]), ("factor_vae", ["kl"]), ("dip_vae_i", ["kl"]),
     ("dip_vae_ii", ["kl"]), ("info_vae", ["kl"]), ("ada_gvae", ["kl"]),
     ("beta_tcvae", ["mutual_information", "total_correlation", "dimension_kl"])],
)  # fmt: skip
def test_a_schedule_weighs_the_kl_and_nothing_else(name, annealed, schedule, step, share):
    plain = _terms(name, step)[0]
    terms = _terms(name, step, kl_schedule=schedule, kl_steps=8)[0]
    for key in plain.keys() - {"loss"}:
        expected = (share if key in annealed else 1.0) * plain[key].item()
        assert terms[key].item() == pytest.approx(expected, rel=1e-12), key


@pytest.mark.parametrize("free", [0.05, 0.11, 0.2])
def test_free_bits_by_their_definition(free):
    terms, _, _, mean, logvar = _terms("beta_vae", free_bits=free, beta=2.0)
    each = _divergence(mean, logvar).numpy().mean(axis=0)
    assert terms["kl"].item() == pytest.approx(2 * np.maximum(free, each).sum(), rel=1e-6)


def test_free_codes_get_no_gradient_and_the_others_the_kls():
    mean = torch.tensor([[0.1, 2.0], [-0.1, 2.0]], requires_grad=True)
    cost = objectives.kl_divergence(mean, torch.zeros(2, 2), free_bits=torch.tensor(0.5))
    assert cost.item() == pytest.approx(0.5 + 2.0)
    cost.backward()
    torch.testing.assert_close(mean.grad, torch.tensor([[0.0, 1.0], [0.0, 1.0]]))


@pytest.mark.parametrize(("step", "capacity"), [(0, 0.0), (25, 0.5), (100, 2.0), (1000, 2.0)])
def test_capacity_rises_with_the_steps(step, capacity):
    terms, x, _, mean, logvar = _terms("annealed_vae", step, gamma=10.0, capacity=2.0, steps=100)
    divergence = _divergence(mean, logvar).sum().item() / len(x)
    assert divergence < 2.0  # both sides of C are looked at
    assert terms["kl"].item() == pytest.approx(10 * abs(divergence - capacity), rel=1e-6)


def test_capacity_turns_the_gradient_round():
    model, (x, noise) = Tiny(1), batch()
    gradients = []
    for capacity in (0.0, 20.0):
        objective = ready("annealed_vae", gamma=1.0, capacity=capacity, steps=1)
        terms = objective(model, x, noise[:1], 1)
        gradients.append(torch.autograd.grad(terms["kl"], model.encoder.weight)[0])
    torch.testing.assert_close(gradients[0], -gradients[1])
    assert gradients[0].abs().sum() > 0
