"""Objectives: closed forms, the published quirks, and where gradients go."""

import math

import numpy as np
import pytest
import torch

from fastdis import models, objectives


@pytest.fixture
def model():
    return models.build("conv3", 4, (1, 16, 8), seed=0)


@pytest.fixture
def x():
    return torch.rand(8, 1, 16, 8, generator=torch.Generator().manual_seed(0))


def _ready(name, n_data=100, **options):
    objective = objectives.build(name, **options)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        objective.prepare(4, n_data)
    return objective


@pytest.mark.parametrize("protocol", objectives.PROTOCOLS)
@pytest.mark.parametrize("name", objectives.names())
def test_loss_is_the_sum_of_its_terms_and_reaches_every_weight(name, protocol, model, x):
    terms = _ready(name, protocol=protocol)(model, x)
    parts = [value for key, value in terms.items() if key not in ("loss", "discriminator")]
    assert terms["loss"].item() == pytest.approx(sum(part.item() for part in parts), rel=1e-6)
    terms["loss"].backward()
    for key, weight in model.named_parameters():
        assert weight.grad is not None, key
        assert weight.grad.abs().sum() > 0, key


def test_kl_of_gaussians_in_closed_form():
    mean, logvar = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    # Per code: (m^2 + s^2 - 1 - log s^2) / 2
    expected = (0.5 + (math.e - 2) / 2 + (math.exp(-1) - 1 + 1) / 2 + 2.0) / 2
    assert objectives.kl_divergence(mean, logvar).item() == pytest.approx(expected)
    assert objectives.kl_divergence(torch.zeros(3, 4), torch.zeros(3, 4)) == 0


def test_reconstruction_scales():
    x, x_hat = torch.zeros(4, 1, 2, 2), torch.full((4, 1, 2, 2), 0.5)
    assert objectives.reconstruction(x, x_hat, "published") == 4.0  # summed over the batch
    sound = objectives.reconstruction(x, x_hat, "sound", variance=0.5)
    normal = torch.distributions.Normal(x_hat, math.sqrt(0.5))
    constant = 2 * math.log(2 * math.pi * 0.5)  # of four values
    assert sound.item() == pytest.approx(-normal.log_prob(x).sum().item() / 4 - constant)


@pytest.mark.parametrize("protocol", objectives.PROTOCOLS)
def test_beta_weighs_the_kl(protocol, model, x):
    terms = {}
    for beta in (1.0, 4.0):
        torch.manual_seed(0)
        terms[beta] = objectives.build("beta_vae", beta=beta, protocol=protocol)(model, x)
    assert terms[4.0]["kl"].item() == pytest.approx(4 * terms[1.0]["kl"].item(), rel=1e-6)
    torch.manual_seed(0)
    vae = objectives.build("vae", protocol=protocol)(model, x)
    assert vae["loss"] == terms[1.0]["loss"]


def _weights_plainly(batch, n_data):
    weights = np.full((batch, batch), 1 / (batch - 1))
    for row in range(batch):
        weights[row, row] = 1 / n_data
        weights[row, (row + 1) % batch] = (n_data - batch + 1) / (n_data * (batch - 1))
    return weights


def test_stratified_weights_sum_to_one_and_published_ones_stand_in_columns():
    sound = objectives.stratified_log_weights(5, 100, "sound").exp().numpy()
    assert np.allclose(sound, _weights_plainly(5, 100))
    assert np.allclose(sound.sum(axis=1), 1.0)
    published = objectives.stratified_log_weights(5, 100, "published").exp().numpy()
    assert np.allclose(published[:, 0], [0.01, 0.01, 0.01, 0.24, 0.01])
    assert np.allclose(published[:, 1], 0.24)
    assert np.allclose(published[:, 2:], 0.25)


@pytest.mark.parametrize("estimator", ["mss", "mws"])
def test_decomposition_by_its_definition_in_numpy(estimator, rng):
    z, mean, logvar = (
        torch.from_numpy(rng.normal(size=(6, 3)).astype(np.float32)) for _ in range(3)
    )
    n_data = 50
    weights = (
        _weights_plainly(6, n_data) if estimator == "mss" else np.full((6, 6), 1 / (6 * n_data))
    )
    sd = np.exp(0.5 * logvar.numpy().astype(float))
    distance = (z.numpy()[:, None] - mean.numpy()[None]) / sd[None]  # (B, B, D)
    each = np.moveaxis(np.exp(-0.5 * distance**2) / (sd[None] * math.sqrt(2 * math.pi)), 2, 0)
    joint = np.log((each.prod(axis=0) * weights).sum(axis=1))
    marginals = np.log((each * weights).sum(axis=2)).sum(axis=0)
    posterior = np.log(np.diagonal(each.prod(axis=0)))
    prior = (-0.5 * (z.numpy() ** 2 + math.log(2 * math.pi))).sum(axis=1)
    expected = [(posterior - joint).mean(), (joint - marginals).mean(), (marginals - prior).mean()]
    got = objectives.kl_decomposition(z, mean, logvar, n_data, estimator, "sound")
    assert [value.item() for value in got] == pytest.approx(expected, rel=1e-4)
    assert sum(got).item() == pytest.approx((posterior - prior).mean(), rel=1e-4)


def test_total_correlation_is_positive_for_dependent_codes_and_near_zero_for_independent_ones():
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(512, 1, generator=generator)
    mean = torch.cat([shared, shared], dim=1)
    logvar = torch.full_like(mean, -2.0)

    def tc(m):
        z = m + torch.exp(0.5 * logvar) * torch.randn(m.shape, generator=generator)
        return objectives.kl_decomposition(z, m, logvar, 512, "mss", "sound")[1].item()

    independent = torch.randn(512, 2, generator=generator)
    rho = 1 / (1 + math.exp(-2))
    assert tc(mean) == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.12)
    assert tc(independent) == pytest.approx(0.0, abs=0.12)


def test_sound_beta_tcvae_uses_the_decoded_sample_and_published_draws_a_second(model, x):
    drawn = []
    sample = model.sample
    model.sample = lambda *args: drawn.append(sample(*args)) or drawn[-1]
    _ready("beta_tcvae")(model, x)
    assert len(drawn) == 1
    _ready("beta_tcvae", protocol="published")(model, x)
    assert len(drawn) == 3


@pytest.mark.parametrize("protocol", objectives.PROTOCOLS)
def test_gradients_of_the_discriminator(protocol, model, x):
    objective = _ready("factor_vae", protocol=protocol)
    terms = objective(model, x)
    terms["discriminator"].backward(retain_graph=True)
    into_encoder = sum(
        weight.grad.abs().sum().item() for weight in model.parameters() if weight.grad is not None
    )
    assert (into_encoder > 0) == (protocol == "published")
    before = [weight.grad.clone() for weight in objective.parameters()]
    terms["loss"].backward()
    for weight, grad in zip(objective.parameters(), before, strict=True):
        assert torch.equal(weight.grad, grad), "the model's loss moved the discriminator"


def test_permuted_codes_keep_every_margin_and_lose_the_dependence():
    z = torch.arange(1000.0)[:, None].repeat(1, 3)
    permuted = objectives.permute_codes(z, torch.rand_like(z))
    assert torch.equal(permuted.sort(dim=0).values, z)
    correlation = np.corrcoef(permuted.numpy().T)[np.triu_indices(3, 1)]
    assert np.abs(correlation).max() < 0.15


def test_discriminator_learns_the_density_ratio_of_known_gaussians():
    # TC of two unit normals with correlation 0.8 is -log(1 - 0.64) / 2 = 0.51 nats.
    torch.manual_seed(0)
    net = objectives.Discriminator(2, hidden=64)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    root = torch.tensor([[1.0, 0.0], [0.8, 0.6]])
    for _ in range(400):
        z = torch.randn(256, 2) @ root.T
        logits = torch.cat([net(z), net(objectives.permute_codes(z, torch.rand_like(z)))])
        target = torch.arange(2).repeat_interleave(256)
        loss = torch.nn.functional.cross_entropy(logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    logits = net(torch.randn(4000, 2) @ root.T)
    ratio = (logits[:, 0] - logits[:, 1]).mean().item()
    assert ratio == pytest.approx(0.51, abs=0.12)


def test_bfloat16_outputs_give_float32_terms(model, x):
    with torch.autocast("cpu", torch.bfloat16):
        terms = _ready("beta_tcvae")(model, x)
    assert all(value.dtype == torch.float32 for value in terms.values())
    assert all(torch.isfinite(value) for value in terms.values())


def test_extreme_outputs_stay_finite(model, x):
    with torch.no_grad():
        model.logvar.bias.fill_(1e6)
    terms = objectives.build("vae")(model, x)
    assert torch.isfinite(terms["loss"])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("beta-vae",), {}, "did you mean 'beta_vae'"),
        (("vae",), {"beta": 2.0}, "options of 'vae'"),
        (("beta_vae",), {"betta": 2.0}, "did you mean 'beta'"),
        (("beta_vae",), {"beta": -1.0}, "beta takes"),
        (("vae",), {"variance": 0.0}, "variance takes"),
        (("beta_tcvae",), {"estimator": "exact"}, "estimator takes"),
        (("vae",), {"protocol": "fast"}, "protocol takes"),
    ],
)
def test_unknown_names_and_options(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        objectives.build(*arguments, **options)


def test_batches_too_small_or_larger_than_the_data(model, x):
    with pytest.raises(ValueError, match="2 to n_data = 1 items here, got 8"):
        objectives.build("beta_tcvae")(model, x)
    with pytest.raises(ValueError, match="got 1"):
        _ready("beta_tcvae")(model, x[:1])


def test_factor_vae_needs_its_discriminator(model, x):
    with pytest.raises(RuntimeError, match="prepare"):
        objectives.build("factor_vae")(model, x)
