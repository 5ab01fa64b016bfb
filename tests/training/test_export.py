"""Exports: the same codes from torch alone, the same model from safetensors, clear refusals."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fastdis import TrainConfig, cli, models, objectives, train, training
from fastdis.training import checkpoints, exporting
from tests import forks

FILES = ["config.json", "decoder.pt2", "encoder.pt2", "model.safetensors"]


@pytest.fixture(scope="module")
def run(small_sound, tmp_path_factory):
    """A run folder whose best weights are not its last."""
    path = tmp_path_factory.mktemp("export") / "run"
    model = models.build("conv3", 4, small_sound.feature_shape, seed=0)
    config = TrainConfig(
        epochs=1, batch_size=16, path=str(path), progress=False,
        compile="never", memory_format="channels_last", dtype="float32",
    )  # fmt: skip
    train(model, objectives.build("beta_vae", protocol="sound", beta=2.0), small_sound, config)
    tensors, state = checkpoints.load(path / "best.safetensors")
    checkpoints.save(path / "best.safetensors", {k: 2 * t for k, t in tensors.items()}, state)
    return path


@pytest.fixture(scope="module")
def written(run):
    """Everything, where it goes by default."""
    return exporting.export(run)


@pytest.fixture
def folder(written, tmp_path):
    """A copy of the exported folder."""
    return Path(shutil.copytree(written["model"].parent, tmp_path / "export"))


def _codes(model, x):
    with torch.no_grad():
        return [*model.encode(x), model.decode(model.encode(x)[0])]


def _equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


ALONE = """
import sys, torch
folder = sys.argv[1]
encoder, decoder = (torch.export.load(f"{folder}/{n}.pt2").module() for n in ("encoder", "decoder"))
for count in (1, 3, 17):
    x = torch.linspace(0, 1, count * 128 * 32).reshape(count, 1, 128, 32)
    mean, logvar = encoder(x)
    for name, out in (("mean", mean), ("logvar", logvar), ("x_hat", decoder(mean))):
        out.numpy().tofile(f"{sys.argv[2]}/{name}{count}")
try:
    encoder(torch.zeros(3, 1, 64, 32))
except Exception as error:
    print("64" in str(error) or "128" in str(error))
print(any(name.split(".")[0] == "fastdis" for name in sys.modules))
"""


def test_graphs_give_the_same_codes_in_a_process_of_torch_alone(run, written, tmp_path):
    command = [sys.executable, "-c", ALONE, str(written["encoder"].parent), str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=forks.SECONDS, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "False"]  # another shape is refused; no fastdis there
    model = training.load(run).model
    for count in (1, 3, 17):
        x = torch.linspace(0, 1, count * 128 * 32).reshape(count, 1, 128, 32)
        for name, expected in zip(("mean", "logvar", "x_hat"), _codes(model, x), strict=True):
            found = np.fromfile(tmp_path / f"{name}{count}", np.float32)
            assert np.abs(found - expected.numpy().ravel()).max() < 1e-6, (name, count)


def test_a_graph_holds_its_own_weights_and_says_whence_it_is(written):
    model = exporting.load_exported(written["model"].parent)
    keys = []
    for name in ("encoder", "decoder"):
        options = {"config.json": ""}
        program = torch.export.load(written[name], extra_files=options)
        assert json.loads(options["config.json"])["model"] == model.options()
        keys += [key.removeprefix("model.") for key in program.state_dict]
    assert sorted(keys) == sorted(model.state_dict())  # each once


def test_the_model_comes_back_from_safetensors(run, written, small_sound):
    assert sorted(path.name for path in written["model"].parent.iterdir()) == FILES
    assert sorted(path.name for path in written.values()) == FILES
    expected = training.load(run).model
    model = exporting.load_exported(run / "export")
    assert not model.training
    assert _equal(load_file(written["model"]), expected.state_dict())
    x = torch.from_numpy(small_sound.features(np.arange(5)))
    for found, wanted in zip(_codes(model, x), _codes(expected, x), strict=True):
        assert torch.allclose(found, wanted, atol=1e-6, rtol=0)
    saved = json.loads(written["config"].read_text())
    assert saved["objective"]["name"] == "beta_vae"
    assert saved["objective"]["options"]["beta"] == 2.0
    assert saved["dataset"] == json.loads(json.dumps(small_sound.options()))
    assert saved["feature_shape"] == list(small_sound.feature_shape)
    assert saved["versions"].keys() == {"fastdis", "torch"}


def test_float64_and_channels_last_come_back_as_they_were(run, tmp_path, monkeypatch):
    model = models.build("conv3", 2, (1, 16, 8), seed=1).double()
    model.to(memory_format=torch.channels_last)
    monkeypatch.setattr(exporting.trained, "load", lambda path, which: SimpleNamespace(model=model))
    written = exporting.export(run, tmp_path)
    found = exporting.load_exported(tmp_path).state_dict()
    assert _equal(found, model.state_dict())
    assert found["mean.weight"].dtype == torch.float64
    x = torch.rand(3, 1, 16, 8, dtype=torch.float64)
    mean, _ = torch.export.load(written["encoder"]).module()(x)
    assert torch.allclose(mean, model.encode(x)[0], atol=1e-12, rtol=0)


def test_the_command(run, tmp_path, capsys):
    arguments = ["export", "--path", str(run), "--to", str(tmp_path), "--format", "safetensors"]
    assert cli.main([*arguments, "--which", "best"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [str(tmp_path / "model.safetensors"), str(tmp_path / "config.json")]
    assert sorted(tmp_path.iterdir()) == sorted(map(Path, shown))
    best = training.load(run, which="best").model.state_dict()
    assert _equal(exporting.load_exported(tmp_path).state_dict(), best)
    assert not _equal(best, training.load(run).model.state_dict())
    assert cli.main(["export", "--path", str(tmp_path / "none")]) == 2
    assert "none/config.json (wanted a run's config.json)" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        cli.main(["export", "--path", str(run), "--format", "safetensor"])
    assert "'safetensors', 'torch_export', 'both'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"formats": ("safetensor",)}, ValueError, "formats takes .*mean 'safetensors'"),
        ({"formats": "torch-export"}, ValueError, "formats takes .*mean 'torch_export'"),
        ({"formats": ()}, ValueError, "formats takes at least one"),
        ({"formats": None}, TypeError, "formats takes one of"),
        ({"which": "bset"}, ValueError, "which takes .*mean 'best'"),
        ({"to": "file/folder"}, OSError, "to takes a folder that can be written, got .*file"),
        ({"to": "run"}, ValueError, r"to takes a folder without another config\.json, .*run"),
    ],
)
def test_mistakes(run, tmp_path, options, error, message):
    (tmp_path / "file").touch()
    copy = Path(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("export")))
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    if "to" in options:
        options = {"to": tmp_path / options["to"]}
    with pytest.raises(error, match=message):
        exporting.export(copy, **options)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_no_best_there(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("export", "best*"))
    with pytest.raises(FileNotFoundError, match=r"best\.safetensors"):
        exporting.export(copy, which="best")
    assert not (tmp_path / "run" / "export").exists()


def test_a_full_disk_leaves_what_was_there(run, folder, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(path, data):
        path.open("wb").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        exporting.export(run, folder, which="best")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def _config(folder, **options):
    saved = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**saved, **options}))


def test_missing_files(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        exporting.load_exported(folder)
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        exporting.load_exported(folder / "none")


def test_damaged_and_foreign_weights(folder):
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    save_file({"a": torch.zeros(1)}, folder / "other")
    for data in (whole[:-9], b"", whole[:-1] + b"\1", (folder / "other").read_bytes()):
        file.write_bytes(data)
        with pytest.raises(ValueError, match=r"model\.safetensors is damaged or not of .*config"):
            exporting.load_exported(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "another"}, r"config\.json is not an exported model's"),
        ({"version": 2}, r"config\.json is of version 2, this reads 1"),
        ({"model": {"name": "conv5"}}, r"config\.json is truncated or is not"),
        ({"model": ["conv3"]}, r"config\.json is truncated or is not"),
        ({"dtype": "int8"}, r"config\.json is truncated or is not"),
        ({"sha256": "0"}, r"is damaged or not of"),
    ],
)
def test_damaged_and_foreign_descriptions(folder, options, message):
    _config(folder, **options)
    with pytest.raises(ValueError, match=message):
        exporting.load_exported(folder)


def test_descriptions_of_something_else(run, folder):
    saved = json.loads((folder / "config.json").read_text())
    _config(folder, model={**saved["model"], "latent_dim": 5})
    with pytest.raises(ValueError, match=r"model\.safetensors holds another architecture"):
        exporting.load_exported(folder)
    for text in ((run / "config.json").read_text(), "[]", json.dumps(saved)[:-9]):
        (folder / "config.json").write_text(text)
        with pytest.raises(ValueError, match=r"config\.json is (not|truncated)"):
            exporting.load_exported(folder)
        with pytest.raises(ValueError, match="to takes a folder without another"):
            exporting.export(run, folder, "safetensors")
