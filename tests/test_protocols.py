"""Every door that takes a protocol or a variant takes "corrected", and keeps it as "sound"."""

import dataclasses
import json

import numpy as np
import pytest

from fastdis import _validation, cli, datasets, models, objectives, reports, training
from fastdis.datasets import SynTone, registry
from fastdis.reports.page import group_name
from fastdis.studies.sweep.plan import plan
from tests.reports.report_data import fake_results

TINY = {"num_freqs": 2, "num_amps": 2, "duration": 0.25}


def test_the_two_names_are_one_protocol_and_others_are_refused():
    assert [_validation.protocol("p", each) for each in ("published", "corrected", "sound")] == [
        "published", "sound", "sound",
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"p takes one of .* did you mean 'corrected'"):
        _validation.protocol("p", "corect")
    with pytest.raises(TypeError, match="p takes one of"):
        _validation.protocol("p", np.zeros(3))
    assert _validation.protocol_title("sound") == "corrected"


def test_a_data_set():
    corrected, sound = SynTone("corrected", **TINY), SynTone("sound", **TINY)
    assert corrected.options() == sound.options()
    assert corrected.variant == "sound"
    assert np.array_equal(corrected.features(slice(None)), sound.features(slice(None)))
    built = datasets.build({"name": "SynTone", "variant": "corrected", **TINY})
    assert built.options() == sound.options()


def test_an_npz_file(tmp_path):
    path = datasets.save_npz(SynTone("corrected", **TINY), tmp_path / "a.npz")
    found = datasets.load_npz(path, variant="corrected")
    assert found.options() == datasets.load_npz(path, variant="sound").options()
    assert registry.open_stored(str(path), "corrected")[1] == "sound"


def test_shards(tmp_path):
    datasets.write_shards(SynTone("sound", **TINY), tmp_path / "before")
    datasets.write_shards(SynTone("corrected", **TINY), tmp_path / "after")
    manifests = [(tmp_path / name / "manifest.json").read_text() for name in ("before", "after")]
    assert manifests[0] == manifests[1]
    for asked in (None, "sound", "corrected"):
        shards, protocol = registry.open_stored(str(tmp_path / "before"), asked)
        assert protocol == "sound"
        assert len(shards) == 16
    with pytest.raises(ValueError, match="holds 'corrected' features"):
        registry.open_stored(str(tmp_path / "before"), "published")


@pytest.mark.parametrize("name", objectives.names())
def test_an_objective(name):
    corrected = objectives.build(name, protocol="corrected")
    assert corrected.protocol == objectives.build(name, protocol="sound").protocol == "sound"
    assert objectives.build(name).protocol == "sound"


def test_a_run_that_was_begun_under_one_name_goes_on_under_the_other(tmp_path):
    def go(name, epochs):
        data = SynTone(name, **TINY)
        model = models.build("mlp", 2, data.feature_shape, seed=0)
        objective = objectives.build("vae", protocol=name)
        config = training.TrainConfig(
            epochs=epochs, batch_size=4, path=str(tmp_path / "run"), progress=False
        )
        return training.train(model, objective, data, config)

    go("sound", 1)
    assert len(go("corrected", 2).history) == 2
    kept = json.loads((tmp_path / "run" / "config.json").read_text())
    assert kept["objective"]["protocol"] == kept["dataset"]["variant"] == "sound"


def test_a_sweep():
    asked = {"dataset": {"name": "SynTone", **TINY}, "model": "mlp", "objectives": ["vae"],
             "epochs": 1, "batch_size": 4}  # fmt: skip
    found = [plan({**asked, "protocol": name}).settings for name in ("sound", "corrected")]
    found += [plan(asked).settings]
    found += [
        plan({**asked, "dataset": {**asked["dataset"], "variant": name}}).settings
        for name in ("sound", "corrected")
    ]
    assert all(each == found[0] for each in found)


def test_a_report():
    results = fake_results()
    model = dataclasses.replace(results.models[0], protocol="corrected")
    assert model.protocol == "sound"
    assert group_name("sound") == "corrected protocol"
    audits = {"corrected": results.audits["sound"]}
    assert list(dataclasses.replace(results, audits=audits).audits) == ["sound"]
    assert "Corrected protocol" in reports.score_table(results)


def test_the_command_line(tmp_path, capsys):
    path = tmp_path / "shards"
    create = ["create", "--format", "shards", "--file_path", str(path), "--num_freqs", "2",
              "--num_amps", "2"]  # fmt: skip
    assert cli.main([*create, "--variant", "corrected"]) == 0
    assert datasets.open_shards(path).source.options()["variant"] == "sound"
    train = ["train", "--dataset", str(path), "--path", str(tmp_path / "run"), "--objective",
             "vae", "--epochs", "1", "--batch_size", "4", "--model", "mlp"]  # fmt: skip
    assert cli.main([*train, "--protocol", "corrected"]) == 0
    assert cli.main([*train, "--protocol", "sound"]) == 0
    kept = json.loads((tmp_path / "run" / "vae" / "config.json").read_text())
    assert kept["objective"]["protocol"] == "sound"
    capsys.readouterr()
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    shown = capsys.readouterr().out
    assert "{published,corrected}" in shown
    assert "sound" not in shown
