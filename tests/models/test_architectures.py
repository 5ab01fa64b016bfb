"""Several architectures trained at once: each as if alone, in folders of their own."""

import numpy as np
import pytest

from fastdis import datasets, models, objectives, training

SHAPE = (1, 8, 8)
PLAIN = {"compile": "never", "memory_format": "contiguous", "dtype": "float64"}


@pytest.fixture(scope="module")
def digits():
    return datasets.Digits().in_memory()


def build(name, latent_dim=4, **options):
    return models.build(name, latent_dim, SHAPE, seed=0, **options)


def config(**changed):
    return training.TrainConfig(epochs=1, batch_size=256, progress=False, **{**PLAIN, **changed})


def weights(model):
    return np.concatenate([w.detach().numpy().ravel() for w in model.parameters()])


def test_each_comes_out_as_alone(digits, tmp_path):
    nets = {"dense": build("mlp", hidden=(16,)), "maps": build("cnn", channels=(4,), hidden=(16,))}
    together = training.train_many(
        nets, objectives.build("beta_vae"), digits, config(path=str(tmp_path)), seeds=[3],
        grid={"beta": [1.0, 4.0]},
    )  # fmt: skip
    assert [(r.model.name, r.objective.options["beta"]) for r in together] == [
        ("mlp", 1.0), ("mlp", 4.0), ("cnn", 1.0), ("cnn", 4.0),
    ]  # fmt: skip
    for number, (name, net) in enumerate(nets.items()):
        alone = training.train(
            models.build(**net.options(), seed=3), objectives.build("beta_vae", beta=4.0), digits,
            config(seed=3),
        )  # fmt: skip
        result = together[2 * number + 1]
        np.testing.assert_allclose(weights(result.model), weights(alone.model), atol=1e-12)
        assert result.history[0]["validation"] == pytest.approx(alone.history[0]["validation"])
        kept = training.load(tmp_path / name / "beta=4.0_seed=3")
        np.testing.assert_array_equal(weights(kept.model), weights(result.model))


def test_what_cannot_be_in_step(digits):
    objective = objectives.build("vae")
    for nets, message in (
        ({}, "model takes one or more architectures, got none"),
        ({"a": build("mlp"), "b": build("mlp", 5)}, "one input shape and one size of the code"),
        (
            {"a": build("mlp"), "b": models.build("mlp", 4, (1, 4, 4), seed=0)},
            "one input shape and one size of the code",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            training.train_many(nets, objective, digits, config(), seeds=[0])
    with pytest.raises(ValueError, match="engine takes 'threads'"):
        training.train_many(
            {"a": build("mlp"), "b": build("cnn")}, objective, digits, config(), seeds=[0],
            engine="stacked",
        )  # fmt: skip
