"""What version 0.1 wrote before its files were moved is read, and goes on, in this version.

``tests/data/version_0_1`` holds a run folder of two epochs (``run``), one of one epoch with the
default TrainConfig of that version (``run_measured``), an exported model, shards, an .npz file, a
sweep, and in ``expected.npz`` what that version computed from them.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import fastdis as fd
from fastdis import cli, datasets, metrics, models, objectives, training
from fastdis.studies import sweep
from fastdis.training import checkpoints

WRITTEN = Path(__file__).parent / "data" / "version_0_1"
# The results of one model on one machine and on another, of float32 products summed in any order.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}
CONFIG = fd.TrainConfig(
    epochs=2, batch_size=256, dtype="float32", memory_format="channels_last", compile="never",
    progress=False,
)  # fmt: skip


@pytest.fixture(scope="module")
def expected():
    with np.load(WRITTEN / "expected.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def copied(name, tmp_path):
    return Path(shutil.copytree(WRITTEN / name, tmp_path / name))


def codes(model):
    x = torch.from_numpy(datasets.Digits().features(np.arange(20)))
    with torch.no_grad():
        return model.encode(x)[0].numpy()


def new_model():
    return models.build("mlp", 2, (1, 8, 8), hidden=(8,), seed=1)


@pytest.mark.parametrize("which", ["best", "last"])
def test_a_run_folder_loads(which, expected):
    result = training.load(WRITTEN / "run", which=which)
    assert (result.config.epochs, result.config.batch_size) == (2, 256)
    assert result.objective.options["beta"] == 2.0
    assert len(result.history) == result.best_epoch == 2
    np.testing.assert_allclose(codes(result.model), expected["mean"], **CLOSE)


@pytest.mark.parametrize("file", ["best", "last", "previous"])
def test_a_checkpoint_loads(file):
    tensors, state = checkpoints.load(WRITTEN / "run" / f"{file}.safetensors")
    assert tensors
    assert state


def test_a_finished_run_is_left_as_it_is(tmp_path, expected):
    folder = copied("run", tmp_path)
    objective = objectives.build("beta_vae", beta=2.0)
    result = fd.train(new_model(), objective, datasets.Digits(), replace(CONFIG, path=str(folder)))
    np.testing.assert_allclose(codes(result.model), expected["mean"], **CLOSE)
    for file in ("last.safetensors", "best.safetensors", "log.jsonl"):
        assert (folder / file).read_bytes() == (WRITTEN / "run" / file).read_bytes()


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({}, id="defaults"),
        pytest.param(
            {"dtype": "measure", "memory_format": "measure", "compile": "measure"}, id="measure"
        ),
    ],
)
def test_a_run_of_the_former_defaults_goes_on(tmp_path, expected, config):
    folder = copied("run_measured", tmp_path)
    config = fd.TrainConfig(epochs=2, batch_size=256, path=str(folder), progress=False, **config)
    objective = objectives.build("beta_vae", beta=2.0)
    result = fd.train(new_model(), objective, datasets.Digits(), config)
    assert [row["epoch"] for row in result.history] == [1, 2]
    # Adam turns the rounding of a gradient near zero into a whole step, so another machine differs;
    # the second epoch moves the codes by up to 0.16.
    np.testing.assert_allclose(codes(result.model), expected["went_on_mean"], atol=0.02)
    stored = json.loads((folder / "config.json").read_text())["config"]
    assert (stored["dtype"], stored["epochs"]) == ("measure", 2)


def test_a_run_goes_on_by_the_plan_that_was_measured(tmp_path):
    folder = copied("run_measured", tmp_path)
    plan = json.loads((folder / "plan.json").read_text())
    plan["plan"]["dtype"] = "bfloat16"
    (folder / "plan.json").write_text(json.dumps(plan))
    for epochs in (2, 3):
        config = fd.TrainConfig(epochs=epochs, batch_size=256, path=str(folder), progress=False)
        objective = objectives.build("beta_vae", beta=2.0)
        result = fd.train(new_model(), objective, datasets.Digits(), config)
        assert result.choice.plan.dtype == "bfloat16"
    config = replace(config, dtype="float64")
    with pytest.raises(ValueError, match="dtype was 'measure', is 'float64'"):
        fd.train(new_model(), objective, datasets.Digits(), config)


def test_another_run_is_still_refused(tmp_path):
    folder = copied("run_measured", tmp_path)
    config = fd.TrainConfig(epochs=2, batch_size=128, path=str(folder), progress=False)
    with pytest.raises(ValueError, match="batch_size"):
        fd.train(new_model(), objectives.build("beta_vae", beta=2.0), datasets.Digits(), config)


def test_an_exported_model_loads(expected):
    model = training.load_exported(WRITTEN / "exported")
    np.testing.assert_allclose(codes(model), expected["mean"], **CLOSE)


def test_shards_open(expected):
    shards = datasets.open_shards(WRITTEN / "shards")
    assert shards.source.options()["name"] == "SynTone"
    np.testing.assert_array_equal(shards.features(np.arange(len(shards))), expected["shards"])
    made = datasets.build(shards.source.options())
    np.testing.assert_allclose(made.features(np.arange(len(made))), expected["shards"], atol=1e-4)


def test_an_npz_file_opens(expected):
    stored = datasets.load_npz(WRITTEN / "syntone.npz")
    np.testing.assert_allclose(stored.features(np.arange(len(stored))), expected["npz"], atol=1e-4)


def test_a_finished_sweep_is_left_as_it_is(tmp_path):
    folder = copied("sweep", tmp_path)
    asked = json.loads((folder / "sweep.json").read_text())
    settings = {
        key: asked[key]
        for key in (
            "dataset", "model", "protocol", "metrics", "epochs", "batch_size", "dtype",
            "memory_format", "compile",
        )
    }  # fmt: skip
    settings |= {"objectives": ["vae"], "latent_dim": [2], "seeds": 1}
    results = sweep.run(settings, folder, progress=False, say=lambda _: None)
    assert len(results.rows) == 1
    cell = Path("cells", "vae_latent_dim=2", "seed=0", "last.safetensors")
    assert (folder / cell).read_bytes() == (WRITTEN / "sweep" / cell).read_bytes()


def test_the_command_line_scores_the_former_run(tmp_path, capsys):
    file = tmp_path / "scores.json"
    folder = str(copied("run", tmp_path))
    assert cli.main(["eval", "--model", folder, "--metrics", "mig", "--json", str(file)]) == 0
    score = metrics.panel(training.load(folder).model, datasets.Digits(), metrics=["mig"])["mig"]
    assert f"mig   {score:.3f}" in capsys.readouterr().out
    assert json.loads(file.read_text())["scores"]["mig"] == pytest.approx(score, abs=1e-9)
