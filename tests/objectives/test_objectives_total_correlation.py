"""Beta-TCVAE and FactorVAE: the decomposition, the density ratio, and known total correlations."""

import math

import numpy as np
import pytest
import torch

from fastdis import objectives
from tests.objectives.objective_data import D, Tiny, batch, one_thread, ready


def _weights_plainly(batch, n_data):
    weights = np.full((batch, batch), 1 / (batch - 1))
    for row in range(batch):
        weights[row, row] = 1 / n_data
        weights[row, (row + 1) % batch] = (n_data - batch + 1) / (n_data * (batch - 1))
    return weights


def _decomposition_plainly(z, mean, logvar, weights):
    """The three terms and their sum's closed form, in NumPy."""
    sd = np.exp(0.5 * logvar)
    distance = (z[:, None] - mean[None]) / sd[None]  # (B, B, D)
    each = np.moveaxis(np.exp(-0.5 * distance**2) / (sd[None] * math.sqrt(2 * math.pi)), 2, 0)
    joint = np.log((each.prod(axis=0) * weights).sum(axis=1))
    marginals = np.log((each * weights).sum(axis=2)).sum(axis=0)
    posterior = np.log(np.diagonal(each.prod(axis=0)))
    prior = (-0.5 * (z**2 + math.log(2 * math.pi))).sum(axis=1)
    parts = [(posterior - joint).mean(), (joint - marginals).mean(), (marginals - prior).mean()]
    return parts, (posterior - prior).mean()


def test_stratified_weights_sum_to_one_and_published_ones_stand_in_columns():
    sound = objectives.stratified_log_weights(5, 100, "sound").exp().numpy()
    assert np.allclose(sound, _weights_plainly(5, 100))
    assert np.allclose(sound.sum(axis=1), 1.0)
    published = objectives.stratified_log_weights(5, 100, "published").exp().numpy()
    assert np.allclose(published[:, 0], [0.01, 0.01, 0.01, 0.24, 0.01])
    assert np.allclose(published[:, 1], 0.24)
    assert np.allclose(published[:, 2:], 0.25)


@pytest.mark.parametrize("estimator", ["mss", "mws"])
def test_beta_tcvae_by_its_definition_in_numpy(estimator):
    options = {"alpha": 0.5, "beta": 4.0, "gamma": 2.0}
    n = 8
    (x, noise), model = batch(n), Tiny()
    objective = ready("beta_tcvae", n_data=50, estimator=estimator, **options)
    with torch.no_grad():
        _, *codes = model(x, noise[0])
        terms = objective(model, x, noise[:1])
    mean, logvar, z = (part.numpy() for part in codes)
    weights = _weights_plainly(n, 50) if estimator == "mss" else np.full((n, n), 1 / (n * 50))
    parts, whole = _decomposition_plainly(z, mean, logvar, weights)
    keys = ("mutual_information", "total_correlation", "dimension_kl")
    found = [terms[key].item() for key in keys]
    expected = [weight * part for weight, part in zip(options.values(), parts, strict=True)]
    assert found == pytest.approx(expected, rel=1e-9)
    assert sum(parts) == pytest.approx(whole, rel=1e-9)


def _correlated(n, seed, rho=0.8, noise=0.2):
    """Codes of equally correlated means and their posteriors; TC of the Gaussian that is q(z)."""
    covariance = torch.full((D, D), rho) + (1 - rho) * torch.eye(D)
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(n, D, generator=generator) @ torch.linalg.cholesky(covariance).T
    logvar = torch.full_like(mean, math.log(noise))
    z = mean + math.sqrt(noise) * torch.randn(mean.shape, generator=generator)
    of_z = covariance + noise * torch.eye(D)
    return z, mean, logvar, 0.5 * (of_z.diagonal().log().sum() - torch.logdet(of_z)).item()


@pytest.mark.parametrize("estimator", ["mss", "mws"])
def test_total_correlation_of_a_known_gaussian_to_five_percent(estimator):
    """A data set of a million clips of which a batch shows 1,024; mean of 8 batches."""
    n_data, found = 1_000_000, []
    for seed in range(8):
        z, mean, logvar, true = _correlated(1024, seed)
        found.append(objectives.kl_decomposition(z, mean, logvar, n_data, estimator, "sound")[1])
    # The weighted estimator's densities are low by log N, the joint once, each marginal once.
    offset = (D - 1) * math.log(n_data) if estimator == "mws" else 0.0
    assert true > 0.6
    assert torch.stack(found).mean().item() - offset == pytest.approx(true, rel=0.05)


def test_total_correlation_of_independent_codes_is_near_zero():
    z, mean, logvar, true = _correlated(1024, 0, rho=0.0)
    assert true == 0
    found = objectives.kl_decomposition(z, mean, logvar, 1024, "mss", "sound")[1]
    assert found.item() == pytest.approx(0.0, abs=0.05)


def test_discriminator_recovers_a_known_total_correlation_to_five_percent():
    """FactorVAE's own loss trains the network; its own term tells the TC of codes it never saw."""
    model, objective = Tiny().float(), ready("factor_vae", gamma=2.0)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        objective.discriminator = objectives.Discriminator(D, hidden=64, layers=3)
    objective.float()
    optimizer = torch.optim.Adam(objective.parameters(), lr=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1500)

    def terms(n, seed):
        z, mean, logvar, _ = _correlated(n, seed)
        keys = torch.rand(n, D, generator=torch.Generator().manual_seed(10**6 + seed))
        noise = torch.stack([(z - mean) * torch.exp(-0.5 * logvar), keys])
        return objective(model, torch.stack([mean, logvar], dim=1)[:, None], noise)

    with one_thread():
        for step in range(1500):
            optimizer.zero_grad()
            terms(1024, step)["discriminator"].backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            found = terms(100_000, 5001)["total_correlation"].item() / 2.0
    assert found == pytest.approx(_correlated(2, 0)[-1], rel=0.05)


def test_factor_vae_by_its_definition():
    """The first half's bound, and cross-entropies of joint codes against shuffled ones."""
    model, objective = Tiny(), ready("factor_vae", gamma=3.0, variance=0.25)
    x, noise = batch()
    terms = objective(model, x, noise)
    beta = ready("beta_vae", beta=1.0, variance=0.25)(model, x[:4], noise[:1, :4])
    for key in ("kl", "reconstruction"):
        assert terms[key].item() == pytest.approx(beta[key].item(), rel=1e-12)
    z = model.sample(*model.encode(x), noise[0])
    order = noise[1, 4:].argsort(dim=0)
    shuffled = torch.stack([z[4:][order[:, d], d] for d in range(D)], dim=1)
    real, fake = objective.discriminator(z[:4]), objective.discriminator(shuffled)
    expected = 3 * (real.log_softmax(dim=1)[:, 0] - real.log_softmax(dim=1)[:, 1]).mean()
    assert terms["total_correlation"].item() == pytest.approx(expected.item(), rel=1e-9)
    entropy = torch.nn.functional.cross_entropy
    zeros = torch.zeros(4, dtype=torch.long)
    expected = 0.5 * entropy(real, zeros) + 0.5 * entropy(fake, zeros + 1)
    assert terms["discriminator"].item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("protocol", objectives.PROTOCOLS)
def test_gradients_of_the_discriminator(protocol):
    model, (x, noise) = Tiny(1), batch()
    objective = ready("factor_vae", protocol=protocol)
    terms = objective(model, x, noise)
    terms["discriminator"].backward(retain_graph=True)
    into_encoder = sum(
        weight.grad.abs().sum().item() for weight in model.parameters() if weight.grad is not None
    )
    assert (into_encoder > 0) == (protocol == "published")
    before = [weight.grad.clone() for weight in objective.parameters()]
    assert all(gradient.abs().sum() > 0 for gradient in before)
    terms["loss"].backward()
    for weight, grad in zip(objective.parameters(), before, strict=True):
        assert torch.equal(weight.grad, grad), "the model's loss moved the discriminator"


def test_the_discriminator_leaves_a_learned_variance_alone():
    objective = ready("factor_vae", likelihood="gaussian_learned")
    theirs = {id(weight) for weight in objective.adversary.parameters()}
    assert id(objective.raw_variance) not in theirs
    x, noise = batch()
    terms = objective(Tiny(1), x, noise)
    terms["discriminator"].backward(retain_graph=True)
    assert objective.raw_variance.grad is None
    terms["loss"].backward()
    assert objective.raw_variance.grad.abs() > 0


def test_permuted_codes_keep_every_margin_and_lose_the_dependence():
    z = torch.arange(1000.0)[:, None].repeat(1, 3)
    permuted = objectives.permute_codes(z, torch.rand_like(z))
    assert torch.equal(permuted.sort(dim=0).values, z)
    correlation = np.corrcoef(permuted.numpy().T)[np.triu_indices(3, 1)]
    assert np.abs(correlation).max() < 0.15
