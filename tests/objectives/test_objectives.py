"""Objectives by name: terms and losses, the published quirks, options, and errors."""

import math

import pytest
import torch

from fastdis import models, objectives

FOUR = ("vae", "beta_vae", "factor_vae", "beta_tcvae")
EVERY = [(name, "sound") for name in objectives.names()] + [(name, "published") for name in FOUR]


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


def test_every_objective_has_a_title():
    assert tuple(objectives.TITLES) == objectives.names()


@pytest.mark.parametrize(("name", "protocol"), EVERY)
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


def test_sound_beta_tcvae_uses_the_decoded_sample_and_published_draws_a_second(model, x):
    drawn = []
    sample = model.sample
    model.sample = lambda *args: drawn.append(sample(*args)) or drawn[-1]
    _ready("beta_tcvae")(model, x)
    assert len(drawn) == 1
    _ready("beta_tcvae", protocol="published")(model, x)
    assert len(drawn) == 3


def test_extreme_outputs_stay_finite(model, x):
    with torch.no_grad():
        model.logvar.bias.fill_(1e6)
    for name in objectives.names():
        assert torch.isfinite(_ready(name)(model, x)["loss"]), name


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
        (("dip_vae_iii",), {}, "did you mean 'dip_vae_i"),
        (("vae",), {"likelyhood": "laplace"}, "did you mean 'likelihood'"),
        (("vae",), {"likelihood": "gausian"}, "did you mean 'gaussian'"),
        (("vae",), {"likelihood": "gaussian_learned", "variance": 1e-6}, "variance takes"),
        (("vae",), {"likelihood": "bernoulli", "variance": 0.2}, "got 0.2 with 'bernoulli'"),
        (("vae",), {"kl_schedule": "cyclic", "kl_steps": 10}, "did you mean 'cyclical'"),
        (("vae",), {"kl_steps": 10}, "kl_steps goes with kl_schedule"),
        (("vae",), {"kl_schedule": "linear", "kl_steps": 0}, "kl_steps takes an integer >= 1"),
        (("vae",), {"kl_schedule": "cyclical", "kl_steps": 1}, "kl_steps takes an integer >= 2"),
        (("vae",), {"free_bits": -0.1}, "free_bits takes"),
        (("beta_tcvae",), {"free_bits": 0.1}, "options of 'beta_tcvae'"),
        (("annealed_vae",), {"kl_schedule": "linear"}, "options of 'annealed_vae'"),
        (("annealed_vae",), {"capacity": -1.0}, "capacity takes"),
        (("annealed_vae",), {"steps": 0}, "steps takes"),
        (("dip_vae_i",), {"lambda_off": 1.0}, "did you mean 'lambda_o"),
        (("info_vae",), {"alpha": 1.5}, "alpha takes a number <= 1"),
        (("info_vae",), {"alpha": -1.0, "lambda_z": 1.5}, "lambda_z takes a number >= 2"),
        (("ada_gvae",), {"changed": 0}, "changed takes"),
    ],
)
def test_unknown_names_and_options(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        objectives.build(*arguments, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kl_schedule": "linear"}, "kl_steps takes an integer >= 1, got None"),
        ({"kl_schedule": "linear", "kl_steps": 10.0}, "kl_steps takes an integer"),
        ({"likelihood": None}, "likelihood takes one of"),
        ({"free_bits": "some"}, "free_bits takes a number"),
    ],
)
def test_options_of_another_type(options, message):
    with pytest.raises(TypeError, match=message):
        objectives.build("vae", **options)


@pytest.mark.parametrize("name", sorted(set(objectives.names()) - set(FOUR)))
def test_what_the_reference_does_not_have_is_not_published(name):
    with pytest.raises(ValueError, match=f"takes 'corrected' for objective '{name}'"):
        objectives.build(name, protocol="published")


@pytest.mark.parametrize(
    "options",
    [
        {"likelihood": "laplace"},
        {"kl_schedule": "linear", "kl_steps": 10},
        {"free_bits": 0.5},
    ],
)
def test_options_that_the_reference_does_not_have_are_not_published(options):
    key = next(iter(options))
    with pytest.raises(ValueError, match=f"'published' takes {key} .* got"):
        objectives.build("beta_vae", protocol="published", **options)


def test_batches_too_small_or_larger_than_the_data(model, x):
    with pytest.raises(ValueError, match="2 to n_data = 1 items here, got 8"):
        objectives.build("beta_tcvae")(model, x)
    with pytest.raises(ValueError, match="got 1"):
        _ready("beta_tcvae")(model, x[:1])


def test_factor_vae_needs_its_discriminator(model, x):
    with pytest.raises(RuntimeError, match="prepare"):
        objectives.build("factor_vae")(model, x)


def test_more_codes_changed_than_there_are():
    with pytest.raises(ValueError, match="changed takes an integer >= 1 and <= 4, got 5"):
        _ready("ada_gvae", changed=5)
