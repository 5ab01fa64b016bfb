"""Models trained at once: each gives the result of training it alone, and nothing else changes."""

import functools
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from fastdis import load, objectives, train, train_many
from tests.objectives.objective_data import one_thread
from tests.training.training_data import (
    Noted,
    config,
    equal,
    helpers,
    losses,
    parts,
    small_discriminator,
    weights,
)

ENGINES = ["threads", "stacked"]
ALIKE = 1e-9  # float64, added up in another order
# Of each objective, options in which models that are stacked may differ.
GRIDS = {
    "vae": {"variance": [0.5, 1.0]},
    "beta_vae": {"beta": [1.0, 8.0]},
    "factor_vae": {"gamma": [2.0, 20.0]},
    "beta_tcvae": {"beta": [1.0, 8.0]},
    "annealed_vae": {"capacity": [1.0, 10.0]},
    "dip_vae_i": {"lambda_od": [1.0, 10.0]},
    "dip_vae_ii": {"lambda_d": [1.0, 10.0]},
    "info_vae": {"lambda_z": [10.0, 100.0]},
    "ada_gvae": {"beta": [1.0, 8.0]},
}


@pytest.fixture(autouse=True)
def _small(monkeypatch, threads):
    monkeypatch.setattr("fastdis.objectives.total_correlation.Discriminator", small_discriminator)
    threads(2)  # models on a thread each
    with one_thread():
        yield


def assert_alike(one, other):
    """To rounding, in the losses of every epoch and in the weights."""
    for found, expected in zip(losses(one), losses(other), strict=True):
        assert found == pytest.approx(expected, rel=ALIKE, abs=ALIKE)
    theirs = weights(other)
    for key, weight in weights(one).items():
        torch.testing.assert_close(weight, theirs[key], rtol=ALIKE, atol=ALIKE)


def _fifty_steps(**options):
    """Over which the learning rate rises and falls; the last batch of an epoch is half a one."""
    return config(epochs=10, schedule="cosine", warmup_steps=5, **options)


@functools.cache
def _alone(name, option, value, seed):
    how = _fifty_steps(seed=seed)
    return train(*parts(name, seed, **{option: value}), Noted(), how)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", objectives.names())
def test_each_of_four_is_what_it_is_alone_after_fifty_steps(name, engine, threads):
    threads(2 if name in ("beta_tcvae", "factor_vae") else 1)  # which is quicker for a tiny model
    ((option, values),) = GRIDS[name].items()
    many = train_many(
        *parts(name), Noted(), _fifty_steps(), seeds=[0, 5], grid=GRIDS[name], engine=engine
    )
    assert {result.choice.plan.engine for result in many} == {engine}
    points = [(result.objective.options[option], result.config.seed) for result in many]
    assert points == [(value, seed) for value in values for seed in (0, 5)]
    for (value, seed), result in zip(points, many, strict=True):
        assert_alike(result, _alone(name, option, value, seed))


@pytest.mark.parametrize("engine", ENGINES)
def test_one_that_stops_early_leaves_the_others_as_they_are(engine, tmp_path):
    how = {"epochs": 30, "patience": 1, "learning_rate": 0.01}
    many = train_many(*parts(), Noted(), config(tmp_path, **how), seeds=[0, 1, 2], engine=engine)
    assert len({len(result.history) for result in many}) == 3
    for seed, result in enumerate(many):
        alone = train(*parts(seed=seed), Noted(), config(seed=seed, **how))
        assert len(result.history) == alone.best_epoch + 1 == len(alone.history) < 30
        assert_alike(result, alone)
        assert equal(weights(load(tmp_path / f"seed={seed}")), weights(result))


def test_each_seed_has_an_order_of_its_own():
    data = Noted()
    train_many(*parts(), data, config(epochs=1, batch_size=36), seeds=[0, 1], engine="threads")
    one, other = data.asked[0].reshape(2, 36)
    assert sorted(one) == sorted(other)
    assert (one != other).any()


def test_a_likelihood_of_its_own_weights():
    """Parameters of an objective are stacked, too, and differ between the models."""
    pair = parts("vae", likelihood="gaussian_learned")
    many = train_many(*pair, Noted(), config(epochs=3), seeds=[0, 1], engine="stacked")
    for seed, result in enumerate(many):
        alone = parts("vae", seed, likelihood="gaussian_learned")
        assert_alike(result, train(*alone, Noted(), config(epochs=3, seed=seed)))
    learned = [dict(result.objective.named_parameters()) for result in many]
    assert all((learned[0][key] != learned[1][key]).any() for key in learned[0])


def test_what_cannot_be_stacked():
    options = {"seeds": [0], "grid": {"likelihood": ["gaussian", "laplace"]}}
    with pytest.raises(ValueError, match="engine takes 'threads' for runs that differ in"):
        train_many(*parts(), Noted(), config(), **options, engine="stacked")
    many = train_many(*parts(), Noted(), config(), **options)
    assert many[0].choice.plan.engine == "threads"
    for result, likelihood in zip(many, ("gaussian", "laplace"), strict=True):
        assert_alike(result, train(*parts(likelihood=likelihood), Noted(), config()))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("stop", [None, (2, signal.SIGINT)])
def test_threads_are_as_many_afterwards_as_before(engine, stop):
    torch.set_num_threads(2)  # one of which each worker takes
    torch.manual_seed(3)
    drawn = torch.random.get_rng_state()
    data, settings = Noted(stop=stop), config(epochs=1, batch_size=12)
    if stop is None:
        train_many(*parts(), data, settings, seeds=[0, 1, 2], engine=engine)
    else:
        with pytest.raises(KeyboardInterrupt):
            train_many(*parts(), data, settings, seeds=[0, 1, 2], engine=engine)
    with ThreadPoolExecutor(1) as fresh:  # which takes the number that torch was last set to
        assert fresh.submit(torch.get_num_threads).result() == torch.get_num_threads() == 2
    assert not helpers()
    assert torch.equal(torch.random.get_rng_state(), drawn)


def test_a_model_of_a_stack_keeps_no_more_memory_than_its_own():
    many = train_many(*parts("factor_vae"), Noted(), config(), seeds=[0, 1, 2], engine="stacked")
    for module in (many[1].model, many[1].objective):
        for weight in module.parameters():
            assert weight.untyped_storage().nbytes() == weight.nbytes


def test_one_of_many_goes_on_alone_and_beside_others(tmp_path):
    """By turns: stacked, alone, on threads. Each time as it was begun, to rounding."""
    folder = tmp_path / "seed=0"
    for epochs, seeds, engine in ((1, [0, 1], "stacked"), (2, None, None), (3, [0, 1], "threads")):
        if seeds is None:
            result = train(*parts(), Noted(), config(folder, epochs=epochs))
            assert result.choice.plan.engine == "solo"
        else:
            settings = config(tmp_path, epochs=epochs)
            result = train_many(*parts(), Noted(), settings, seeds=seeds, engine=engine)[0]
            assert result.choice.plan.engine == engine
    assert_alike(result, train(*parts(), Noted(), config(epochs=3)))
