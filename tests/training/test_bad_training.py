"""Mistakes are said before the first step: nothing is computed, nothing is written or trained."""

import re
import shutil

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from fastdis import TrainConfig, _files, load, models, objectives, train, train_many, training
from tests.objectives.objective_data import one_thread
from tests.training.training_data import Noted, config, parts, small_discriminator


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("fastdis.objectives.total_correlation.Discriminator", small_discriminator)
    with one_thread():
        yield


class Untouched:
    """A context in which a message is raised, no clip is looked at, and a model stays as it is."""

    def __init__(self, error, message, *, dataset=None, name="vae"):
        self.dataset = dataset or Noted()
        self.model, self.objective = parts(name)
        self.before = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.raises = pytest.raises(error, match=message)

    def __enter__(self):
        self.raises.__enter__()
        return self.model, self.objective, self.dataset

    def __exit__(self, *raised):
        caught = self.raises.__exit__(*raised)
        assert self.dataset.asked == []
        for key, value in self.model.state_dict().items():
            assert torch.equal(value, self.before[key])
        return caught


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: objectives.build("beta_vea"), "did you mean 'beta_vae'"),
        (lambda: objectives.build("factor_vae", gama=1.0), "'gama'; did you mean 'gamma'"),
        (lambda: objectives.build("vae", likelihood="bernouli"), "did you mean 'bernoulli'"),
        (lambda: models.build("convv3", 3, (1, 8, 8)), "did you mean 'conv3'"),
        (lambda: models.build("conv3", 0, (1, 8, 8)), "latent_dim takes an integer >= 1, got 0"),
        (lambda: TrainConfig(optimizer="adamm"), "did you mean 'adam"),
        (lambda: TrainConfig(schedule="cosin"), "did you mean 'cosine'"),
        (lambda: TrainConfig(dtype="float23"), "dtype takes one of .*did you mean 'float32'"),
        (lambda: TrainConfig(memory_format="channel_last"), "did you mean 'channels_last'"),
        (lambda: TrainConfig(compile="alwais"), "did you mean 'always'"),
        (lambda: TrainConfig(dtype="tf32"), "'tf32' on a CUDA device only, got device 'cpu'"),
        (lambda: TrainConfig(warmup_steps=-1), "warmup_steps takes an integer >= 0, got -1"),
        (lambda: TrainConfig(batch_size=0), "batch_size takes an integer >= 1, got 0"),
    ],
)
def test_names_and_numbers(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seeds": []}, ValueError, r"seeds takes one or more different values, got \[\]"),
        ({"seeds": [1, 2, 1]}, ValueError, "seeds takes one or more different values"),
        ({"seeds": [-1]}, ValueError, "seed takes an integer >= 0"),
        ({"seeds": [0.5]}, TypeError, "seed takes an integer >= 0"),
        ({"seeds": 3}, TypeError, "seeds takes one or more different values, got 3"),
        ({"grid": {"beta": []}}, ValueError, r"grid\['beta'\] takes one or more"),
        ({"grid": {"beta": [1.0, 1]}}, ValueError, r"grid\['beta'\] takes one or more different"),
        ({"grid": {"beta": 4.0}}, TypeError, r"grid\['beta'\] takes .* got 4.0"),
        ({"grid": {"beta": [[1.0]]}}, TypeError, r"grid\['beta'\] takes .* got \[\[1.0\]\]"),
        ({"grid": {"betta": [1.0]}}, ValueError, "'betta'; did you mean 'beta'"),
        ({"grid": {"beta": [-1.0]}}, ValueError, "beta takes a number >= 0"),
        ({"engine": "stack"}, ValueError, "engine takes one of .*; did you mean 'stacked'"),
    ],
)
def test_what_many_runs_differ_in(tmp_path, options, error, message):
    with Untouched(error, message, name="beta_vae") as three:
        train_many(*three, config(tmp_path / "runs"), **{"seeds": [0], **options})
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vae", {"batch_size": 37}, "at most the number of training clips, 36 of 45, got 37"),
        ("dip_vae_i", {"batch_size": 1}, "integer >= 2 for objective 'dip_vae_i', got 1"),
        ("info_vae", {"validation": 0.02}, "validation takes 0, or a share of at least 2 clips"),
        ("ada_gvae", {"batch_size": 9}, "batch_size takes an even number for objective 'ada_gvae'"),
    ],
)
@pytest.mark.parametrize("many", [False, True])
def test_batches(tmp_path, name, options, message, many):
    with Untouched(ValueError, message, name=name) as three:
        settings = config(tmp_path / "runs", **options)
        train_many(*three, settings, seeds=[0, 1]) if many else train(*three, settings)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("shape", [(1, 16, 8), (2, 8, 8)])
def test_features_of_another_shape(tmp_path, shape):
    dataset = Noted()
    dataset.feature_shape = shape
    message = rf"model takes input of shape \(1, 8, 8\), .* of shape {re.escape(str(shape))}"
    with Untouched(ValueError, message, dataset=dataset) as three:
        train(*three, config(tmp_path / "runs"))
    with Untouched(ValueError, message, dataset=dataset) as three:
        train_many(*three, config(tmp_path / "runs"), seeds=[0, 1])
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("device", "error", "message"),
    [
        ("gpu", ValueError, "device takes 'cpu', 'cuda' or 'cuda:N', got 'gpu'"),
        ("meta", ValueError, "device takes 'cpu', 'cuda' or 'cuda:N', got 'meta'"),
        ("cuda:99", RuntimeError, "'cuda:99' was asked for; there are [0-9]+ CUDA devices"),
    ],
)
def test_devices(tmp_path, device, error, message):
    with Untouched(error, message) as three:
        train(*three, config(tmp_path / "runs", device=device))
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_for_many():
    with Untouched(RuntimeError, "'cuda' was asked for; there are 0 CUDA devices") as three:
        train_many(*three, config(device="cuda"), seeds=[0, 1])


@pytest.mark.parametrize("tensorboard", [False, True])
@pytest.mark.parametrize("where", ["file", "file/below"])
def test_a_run_folder_that_is_a_file_or_below_one(tmp_path, where, tensorboard):
    (tmp_path / "file").write_text("mine")
    with Untouched(OSError, "path takes a folder that can be written, got .*file") as three:
        train(*three, config(tmp_path / where, tensorboard=tensorboard))
    (tmp_path / "seed=1").write_text("mine")
    with Untouched(OSError, "path takes a folder that can be written, got .*seed=1") as three:
        train_many(*three, config(tmp_path), seeds=[0, 1])
    assert (tmp_path / "file").read_text() == (tmp_path / "seed=1").read_text() == "mine"


def test_a_run_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def denied(path, data):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_files, "write_json", denied)
    with Untouched(PermissionError, "path takes a folder that can be written, got") as three:
        train(*three, config(tmp_path))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run of one epoch."""
    folder = tmp_path_factory.mktemp("trained")
    with one_thread():
        train(*parts(), Noted(), config(folder, epochs=1))
    return folder


def test_a_checkpoint_of_another_architecture(tmp_path, trained):
    """Of another run, put into the folder."""
    folder = shutil.copytree(trained, tmp_path / "run")
    wider = models.build("conv3", 3, (1, 8, 8), channels=(5,), hidden=(8,), seed=0)
    train(wider, objectives.build("vae"), Noted(), config(tmp_path / "other", epochs=1))
    shutil.copy(tmp_path / "other" / "last.safetensors", folder / "last.safetensors")
    message = r"last.safetensors holds another architecture: \S+ takes \(.*\) here, got \(.*\)"
    with Untouched(ValueError, message) as three:
        train(*three, config(folder))
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_a_checkpoint_of_another_version(tmp_path, trained):
    folder = shutil.copytree(trained, tmp_path / "run")
    last = folder / "last.safetensors"
    with safe_open(last, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = {**file.metadata(), "version": "99"}
    save_file(tensors, last, metadata)
    with Untouched(ValueError, "last.safetensors is of version 99, this reads ") as three:
        train(*three, config(folder))
    with pytest.raises(ValueError, match="is of version 99"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vae", {"seed": 1}, "config seed was 0, is 1"),
        ("vae", {"dtype": "float32"}, "config dtype was 'float64', is 'float32'"),
        ("vae", {"epochs": 2, "schedule": "cosine"}, "config epochs was 1, is 2"),
        ("beta_vae", {}, "objective name was 'vae', is 'beta_vae'"),
    ],
)
def test_the_folder_of_another_run(trained, name, options, message):
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    with Untouched(ValueError, f"holds another run: {message}", name=name) as three:
        train(*three, config(trained, **{"epochs": 1, **options}))
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before


@pytest.mark.parametrize(
    "damage", ["", "[]", "{", '{"device": "cpu"}', '{"device": "cpu", "plan": 3}']
)
def test_a_plan_that_is_none(tmp_path, trained, damage):
    folder = shutil.copytree(trained, tmp_path / "run")
    (folder / "plan.json").write_text(damage)
    with Untouched(ValueError, r"plan\.json") as three:
        train(*three, config(folder, epochs=2))


class _Spoiled(Noted):
    def features(self, indices):
        result = super().features(indices)
        result[np.isin(self.asked[-1], 7)] = np.nan
        return result


@pytest.mark.parametrize("engine", ["threads", "stacked"])
def test_a_loss_that_is_not_finite_in_one_of_many(tmp_path, engine):
    """Says whose batch it was, of the first model that met the clip."""
    train_many(*parts(), Noted(), config(tmp_path, epochs=1), seeds=[0, 1], engine=engine)
    good = [(tmp_path / f"seed={seed}" / "last.safetensors").read_bytes() for seed in (0, 1)]
    message = (
        r"term 'reconstruction' of the loss is nan at step \d of epoch 2, seed \d; the batch held"
    )
    with pytest.raises(training.NonFiniteLossError, match=message) as caught:
        train_many(*parts(), _Spoiled(), config(tmp_path), seeds=[0, 1], engine=engine)
    rows, _ = training.split(45, 0.2, 42)
    order = np.random.default_rng((caught.value.config.seed, 1)).permutation(rows)
    batch = caught.value.step - 1
    assert 7 in caught.value.indices
    assert np.array_equal(caught.value.indices, order[10 * batch : 10 * batch + 10])
    for seed in (0, 1):
        assert (tmp_path / f"seed={seed}" / "last.safetensors").read_bytes() == good[seed]


@pytest.mark.parametrize("engine", ["threads", "stacked"])
@pytest.mark.parametrize("name", ["vae", "beta_tcvae", "factor_vae", "dip_vae_ii", "info_vae"])
def test_a_last_batch_of_one(name, engine):
    """Taken where an objective takes it, and else left out."""
    settings = config(batch_size=7, epochs=1)
    for result in train_many(*parts(name), Noted(), settings, seeds=[0, 1], engine=engine):
        assert all(np.isfinite(list(result.history[0]["train"].values())))
        assert all(torch.isfinite(weight).all() for weight in result.model.parameters())
