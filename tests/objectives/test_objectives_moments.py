"""DIP-VAE and InfoVAE by their definitions in NumPy, and where their penalties vanish."""

import numpy as np
import pytest
import torch

from fastdis import objectives
from tests.objectives.objective_data import D, Tiny, batch, ready


def _terms(name, **options):
    model, objective = Tiny(), ready(name, **options)
    x, noise = batch()
    with torch.no_grad():
        _, mean, logvar, z = model(x, noise[0])
        terms = objective(model, x, noise[: objective.draws])
    return {key: value.item() for key, value in terms.items()}, mean, logvar, z, noise[1]


@pytest.mark.parametrize("name", ["dip_vae_i", "dip_vae_ii"])
def test_dip_penalties_by_numpy(name):
    terms, mean, logvar, *_ = _terms(name, lambda_od=2.0, lambda_d=8.0)
    matrix = np.cov(mean.numpy().T, ddof=0)
    if name == "dip_vae_ii":
        matrix += np.diag(np.exp(logvar.numpy()).mean(axis=0))
    diagonal = np.diag(matrix)
    off = (matrix**2).sum() - (diagonal**2).sum()
    assert terms["off_diagonal"] == pytest.approx(2 * off, rel=1e-12)
    assert terms["diagonal"] == pytest.approx(8 * ((diagonal - 1) ** 2).sum(), rel=1e-12)
    vae, *_ = _terms("vae")
    assert terms["kl"] == vae["kl"]
    assert terms["reconstruction"] == vae["reconstruction"]


def test_covariance_of_far_away_codes_keeps_its_digits():
    values = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    shifted = torch.from_numpy(values) + 1000.0
    expected = np.cov(shifted.double().numpy().T, ddof=0)
    np.testing.assert_allclose(objectives.covariance(shifted).numpy(), expected, atol=1e-5)


def test_gradient_of_the_off_diagonal_penalty_in_closed_form():
    """d/dm of sum_{i != j} C_ij^2 is 4 (m - E m) (C - diag C) / B."""
    model, objective = Tiny(), ready("dip_vae_i", lambda_od=1.0)
    x, noise = batch()
    x.requires_grad_()
    (found,) = torch.autograd.grad(objective(model, x, noise[:1])["off_diagonal"], x)
    mean = x.detach()[:, 0, 0]
    matrix = torch.cov(mean.T, correction=0)
    expected = 4 * (mean - mean.mean(dim=0)) @ (matrix - matrix.diag().diag()) / len(x)
    torch.testing.assert_close(found[:, 0, 0], expected)
    assert found[:, 0, 1].abs().sum() == 0  # the variances are not in it


def test_dip_two_is_content_with_the_prior():
    """q(z) = N(0, I), made of means of variance 3/4 and posteriors of variance 1/4."""
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * D).double()
    x = torch.stack([0.75**0.5 * corners, torch.full_like(corners, np.log(0.25))], dim=1)
    terms = ready("dip_vae_ii")(Tiny(), x[:, None], torch.zeros(1, 8, D).double())
    assert terms["off_diagonal"].item() == pytest.approx(0.0, abs=1e-12)
    assert terms["diagonal"].item() == pytest.approx(0.0, abs=1e-12)


def _kernel(a, b):
    return np.exp(-((a - b) ** 2).sum() / D**2)


def _mmd(codes, prior):
    """All pairs, those of a code with itself too."""
    return sum(
        sign * np.mean([[_kernel(a, b) for a in one] for b in two])
        for one, two, sign in ((codes, codes, 1), (prior, prior, 1), (codes, prior, -2))
    )


def test_info_vae_by_numpy():
    terms, _, _, z, prior = _terms("info_vae", alpha=0.25, lambda_z=9.0)
    assert terms["mmd"] == pytest.approx(8.25 * _mmd(z.numpy(), prior.numpy()), rel=1e-9)
    vae, *_ = _terms("vae")
    assert terms["kl"] == pytest.approx(0.75 * vae["kl"], rel=1e-12)


def test_info_vae_without_mutual_information_is_the_vae():
    terms, *_ = _terms("info_vae", alpha=0.0, lambda_z=1.0)
    assert terms["mmd"] == 0
    assert terms["loss"] == pytest.approx(_terms("vae")[0]["loss"], rel=1e-12)
    assert _terms("info_vae", alpha=1.0)[0]["kl"] == 0


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (1.5, 1.0), (0.0, 0.3)])
def test_mmd_of_known_gaussians(shift, scale):
    """E k(x, y) = (h / (h + 2 v))^(D/2) exp(-|m|^2 / (h + 2 v)), h = D^2, x - y ~ N(m, v I)."""
    n, h = 2000, D**2
    generator = torch.Generator().manual_seed(0)
    codes, prior = torch.randn(2, n, D, generator=generator, dtype=torch.float64)

    def mean_kernel(v, m=0.0):
        return (h / (h + 2 * v)) ** (D / 2) * np.exp(-D * m**2 / (h + 2 * v))

    same, other = mean_kernel(2 * scale**2), mean_kernel(2.0)
    true = same + other - 2 * mean_kernel(1 + scale**2, shift)
    bias = (1 - same) / n + (1 - other) / n
    found = objectives.squared_mmd(shift + scale * codes, prior).item()
    assert found == pytest.approx(true + bias, rel=0.08, abs=2e-4)
    assert found >= 0
