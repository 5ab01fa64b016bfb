"""Training: exact to the bit, resumable from any stop, and clear about what does not fit."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sklearn.model_selection import train_test_split

from fastdis import TrainConfig, _files, load, models, objectives, train, training
from fastdis.datasets import SynTone
from fastdis.synthesis import noise as philox_noise
from fastdis.training import checkpoints
from tests import forks
from tests.objectives.objective_data import one_thread, torch_threads
from tests.training.training_data import Noted, config, parts

ROOT = Path(__file__).parents[2]


def _parts(dataset, name="vae", protocol="sound"):
    model = models.build("conv3", 4, dataset.feature_shape, seed=0)
    return model, objectives.build(name, protocol=protocol)


def _config(path=None, **options):
    defaults = {"epochs": 2, "batch_size": 16, "progress": False, "path": path and str(path)}
    return TrainConfig(**{**defaults, **options})


def _weights(result):
    return {key: value.clone() for key, value in result.model.state_dict().items()}


def _equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", objectives.names())
def test_the_loss_falls_and_the_history_has_every_term(name, small_sound):
    model = models.build("conv3", 4, small_sound.feature_shape, channels=(4, 8), hidden=(16,))
    config = _config(epochs=6, batch_size=8, learning_rate=5e-3)
    result = train(model, objectives.build(name), small_sound, config)
    first, last = result.history[0], result.history[-1]
    assert last["train"]["reconstruction"] < 0.9 * first["train"]["reconstruction"]
    assert last["train"].keys() == last["validation"].keys()
    assert {"loss", "reconstruction"} < last["train"].keys()
    assert [row["epoch"] for row in result.history] == [1, 2, 3, 4, 5, 6]


def test_two_runs_of_a_seed_agree_bit_for_bit_and_leave_torch_alone(small_sound):
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    with torch_threads(2):
        one, two, other = (
            _weights(train(*_parts(small_sound, "factor_vae"), small_sound, _config(seed=seed)))
            for seed in (3, 3, 4)
        )
    assert torch.equal(torch.rand(2), expected)
    assert _equal(one, two)
    assert not _equal(one, other)


def test_the_split_is_scikit_learns():
    rows, held_out = training.split(101, 0.2, 42)
    expected = train_test_split(np.arange(101), test_size=0.2, random_state=42)
    assert np.array_equal(rows, expected[0])
    assert np.array_equal(held_out, expected[1])


def test_one_step_is_adam_on_the_mean_batch(small_sound):
    """One epoch of one batch against the step written out."""
    model, objective = _parts(small_sound)
    by_hand = models.build("conv3", 4, small_sound.feature_shape, seed=0)
    config = _config(epochs=1, batch_size=51)
    train(model, objective, small_sound, config)
    rows, _ = training.split(64, 0.2, 42)
    order = np.random.default_rng((0, 0)).permutation(rows)
    noise = torch.from_numpy(philox_noise.normals(philox_noise.key((0, 1, 0)), 0, (1, 51, 4)))
    by_hand.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(by_hand.parameters(), lr=1e-3)
    x = torch.from_numpy(small_sound.features(order))
    objectives.build("vae")(by_hand, x, noise)["loss"].backward()
    optimizer.step()
    for a, b in zip(model.parameters(), by_hand.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-7)


def test_a_run_folder_and_its_files(small_sound, tmp_path):
    result = train(*_parts(small_sound, "factor_vae"), small_sound, _config(tmp_path / "r"))
    folder = tmp_path / "r"
    assert sorted(p.name for p in folder.iterdir()) == [
        "best.safetensors", "config.json", "last.safetensors", "log.jsonl", "plan.json",
        "previous.safetensors",
    ]  # fmt: skip
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert rows == result.history
    with safe_open(folder / "best.safetensors", framework="pt") as file:
        assert not any("_orig_mod" in key for key in file.keys())  # noqa: SIM118
        assert all(key.startswith("model.") for key in file.keys())  # noqa: SIM118
    again = load(folder)
    assert _equal(_weights(again), _weights(result))
    assert again.history == result.history
    assert load(folder, which="best").best_epoch == result.best_epoch
    assert training.dataset_options(folder) == small_sound.options()


def test_a_compiled_module_is_saved_under_its_own_names():
    model = models.build("conv3", 4, (1, 16, 8))
    compiled = torch.compile(model)
    assert checkpoints.of_module("m", compiled).keys() == checkpoints.of_module("m", model).keys()


def test_more_epochs_go_on_and_end_like_an_unbroken_run(small_sound, tmp_path):
    train(*_parts(small_sound, "factor_vae"), small_sound, _config(tmp_path, epochs=1))
    broken = train(*_parts(small_sound, "factor_vae"), small_sound, _config(tmp_path, epochs=3))
    unbroken = train(*_parts(small_sound, "factor_vae"), small_sound, _config(epochs=3))
    assert _equal(_weights(broken), _weights(unbroken))
    assert [row["train"] for row in broken.history] == [row["train"] for row in unbroken.history]
    finished = train(*_parts(small_sound, "factor_vae"), small_sound, _config(tmp_path, epochs=3))
    assert _equal(_weights(finished), _weights(unbroken))


SCRIPT = """
import sys
import torch
from fastdis import train
from tests.training.training_data import Noted, config, parts
folder, request, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
train(*parts("beta_tcvae"), Noted(stop=(request, number)), config(folder, epochs=3))
"""


def _run_script(folder, request=0, number=0, before=""):
    """Three epochs of four steps; the process gets the signal when it asks for a batch."""
    arguments = map(str, (folder, request, int(number)))
    return subprocess.run(
        [sys.executable, "-c", before + SCRIPT, *arguments],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=forks.SECONDS,
    )  # fmt: skip


def _position(folder):
    _, state = checkpoints.load(folder / "last.safetensors")
    return state["epoch"], state["step"]


def test_a_process_that_is_stopped_goes_on_to_the_same_bytes(tmp_path):
    killed = _run_script(tmp_path, 8, signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    assert _position(tmp_path) == (1, 0)
    stopped = _run_script(tmp_path, 2, signal.SIGINT)
    assert stopped.returncode in (1, -signal.SIGINT)
    assert "KeyboardInterrupt: stopped at the end of a step" in stopped.stderr
    interrupted = _position(tmp_path)
    assert interrupted > (1, 0)
    stopped = _run_script(tmp_path, 2, signal.SIGTERM)
    assert stopped.returncode == 128 + signal.SIGTERM
    assert _position(tmp_path) > interrupted
    done = _run_script(tmp_path)
    assert done.returncode == 0, done.stderr
    resumed = load(tmp_path)
    with one_thread():
        whole = train(*parts("beta_tcvae"), Noted(), config(epochs=3))
    assert _equal(_weights(resumed), _weights(whole))
    for a, b in zip(resumed.history, whole.history, strict=True):
        assert a["validation"] == b["validation"]
        assert a["train"] == b["train"]


def test_early_stopping(small_sound):
    config = _config(epochs=50, patience=1, learning_rate=0.5)
    result = train(*_parts(small_sound), small_sound, config)
    assert len(result.history) == result.best_epoch + 1 < 50


def test_adamw_decays_the_weights(small_sound):
    plain = train(*_parts(small_sound), small_sound, _config(optimizer="adamw"))
    decayed = train(
        *_parts(small_sound), small_sound, _config(optimizer="adamw", weight_decay=10.0)
    )
    norms = [sum(w.square().sum() for w in r.model.parameters()) for r in (plain, decayed)]
    assert norms[1] < norms[0]


def test_tensorboard_events(small_sound, tmp_path):
    train(*_parts(small_sound), small_sound, _config(tmp_path, tensorboard=True))
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_the_progress_bar_shows_every_term(small_sound, capsys):
    train(*_parts(small_sound), small_sound, _config(progress=True))
    shown = capsys.readouterr().err
    assert "clips/s" in shown
    assert "reconstruction=" in shown
    assert "kl=" in shown


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(small_sound, tmp_path):
    train(*_parts(small_sound), small_sound, _config(tmp_path, epochs=1))
    good = (tmp_path / "last.safetensors").read_bytes()
    model, objective = _parts(small_sound)
    real = type(objective).forward

    def spoiled(self, model, x, noise, step):
        terms = real(self, model, x, noise, step)
        return {**terms, "kl": terms["kl"] * torch.nan, "loss": terms["loss"] * torch.nan}

    type(objective).forward = spoiled
    try:
        message = (
            r"term .kl. of the loss is nan at step 1 of epoch 2, seed 0; the batch held the clips"
        )
        with pytest.raises(training.NonFiniteLossError, match=message) as caught:
            train(model, objective, small_sound, _config(tmp_path, epochs=2))
    finally:
        type(objective).forward = real
    rows, _ = training.split(64, 0.2, 42)
    order = np.random.default_rng((0, 1)).permutation(rows)
    assert np.array_equal(caught.value.indices, order[:16])
    assert (tmp_path / "last.safetensors").read_bytes() == good


def test_a_full_disk_in_training_keeps_the_last_checkpoint(small_sound, tmp_path, monkeypatch):
    train(*_parts(small_sound), small_sound, _config(tmp_path, epochs=1))

    write = Path.write_bytes

    def full(path, data):
        write(path, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        train(*_parts(small_sound), small_sound, _config(tmp_path, epochs=2))
    monkeypatch.undo()
    assert not list(tmp_path.glob("*.partial"))
    broken = train(*_parts(small_sound), small_sound, _config(tmp_path, epochs=2))
    unbroken = train(*_parts(small_sound), small_sound, _config(epochs=2))
    assert _equal(_weights(broken), _weights(unbroken))


def test_a_model_that_does_not_fit(small_sound):
    model = models.build("conv3", 4, (1, 64, 32))
    with pytest.raises(ValueError, match=r"\(1, 64, 32\).*\(1, 128, 32\)"):
        train(model, objectives.build("vae"), small_sound, _config())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vae", {"batch_size": 52}, "at most the number of training clips, 51 of 64"),
        ("beta_tcvae", {"batch_size": 1}, "integer >= 2 for objective 'beta_tcvae'"),
        ("factor_vae", {"batch_size": 3}, "integer >= 4 for objective 'factor_vae'"),
    ],
)
def test_batches_that_do_not_fit(small_sound, name, options, message):
    with pytest.raises(ValueError, match=message):
        train(*_parts(small_sound, name), small_sound, _config(**options))


def test_a_last_batch_of_one(small_sound):
    for name in ("beta_tcvae", "factor_vae"):
        result = train(*_parts(small_sound, name), small_sound, _config(batch_size=25, epochs=1))
        assert np.isfinite(result.history[0]["train"]["loss"])


def test_one_clip():
    data = SynTone("sound", num_freqs=1, num_amps=1)
    with pytest.raises(ValueError, match="training clips, 3 of 4"):
        train(*_parts(data), data, _config(batch_size=4))
    result = train(*_parts(data), data, _config(batch_size=4, validation=0.0))
    assert result.history[-1]["validation"] == {}
    assert result.best_epoch > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_no_gpu_where_one_was_asked_for(small_sound):
    with pytest.raises(RuntimeError, match="'cuda' was asked for"):
        train(*_parts(small_sound), small_sound, _config(device="cuda"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", objectives.names())
def test_a_gpu_run_learns_and_resumes(small_sound, tmp_path, name):
    config = _config(tmp_path, device="cuda", epochs=3)
    train(*_parts(small_sound, name), small_sound, _config(tmp_path, device="cuda", epochs=1))
    result = train(*_parts(small_sound, name), small_sound, config)
    assert result.history[-1]["train"]["loss"] < result.history[0]["train"]["loss"]
    cpu = load(tmp_path, device="cpu").model.state_dict()
    assert all(torch.equal(value.cpu(), cpu[key]) for key, value in _weights(result).items())


def test_a_folder_of_another_run(small_sound, tmp_path):
    train(*_parts(small_sound), small_sound, _config(tmp_path, epochs=1))
    for both, options, message in (
        (_parts(small_sound, "beta_vae"), {}, "objective name was 'vae', is 'beta_vae'"),
        (_parts(small_sound), {"seed": 1}, "config seed was 0, is 1"),
    ):
        with pytest.raises(ValueError, match=message):
            train(*both, small_sound, _config(tmp_path, **options))


def test_damaged_missing_and_foreign_checkpoints(small_sound, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        load(tmp_path / "none")
    train(*_parts(small_sound), small_sound, _config(tmp_path, epochs=1))
    last = tmp_path / "last.safetensors"
    whole = last.read_bytes()
    last.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"last\.safetensors is truncated"):
        load(tmp_path)
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, last)
    with pytest.raises(ValueError, match="is not a fastdis checkpoint"):
        load(tmp_path)
    last.write_bytes(whole)
    config = json.loads((tmp_path / "config.json").read_text())
    config["model"]["latent_dim"] = 5
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="another architecture"):
        load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"config\.json"):
        load(tmp_path)


def test_two_processes_in_one_folder(small_sound, tmp_path):
    with (
        _files.only_writer(tmp_path),
        pytest.raises(BlockingIOError, match="written to by another"),
    ):
        train(*_parts(small_sound), small_sound, _config(tmp_path))


def test_fewer_epochs_than_were_trained(small_sound, tmp_path):
    train(*_parts(small_sound), small_sound, _config(tmp_path, epochs=2))
    with pytest.raises(ValueError, match="epochs takes at least the 2"):
        train(*_parts(small_sound), small_sound, _config(tmp_path, epochs=1))


def test_a_held_out_part_too_small_for_the_objective():
    data = SynTone("sound", num_freqs=3, num_amps=1)  # 12 clips, 3 held out
    with pytest.raises(ValueError, match="validation takes 0, or a share of at least 4"):
        train(*_parts(data, "factor_vae"), data, _config(batch_size=4))


def test_loading_leaves_torchs_generator_alone(small_sound, tmp_path):
    train(*_parts(small_sound, "factor_vae"), small_sound, _config(tmp_path, epochs=1))
    state = torch.get_rng_state()
    load(tmp_path)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_disk_that_is_really_full(tmp_path):
    """A limit of the size of files stands in for the disk; the checkpoint is larger."""
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (9000, 9000))\n"
    done = _run_script(tmp_path / "run", before=limit)
    assert "OSError: cannot write" in done.stderr
    assert not list((tmp_path / "run").glob("*.partial"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs takes"),
        ({"learning_rate": 0.0}, "learning_rate takes"),
        ({"optimizer": "sgd"}, "optimizer takes"),
        ({"validation": 1.0}, "validation takes"),
        ({"patience": 2, "validation": 0.0}, "patience takes"),
        ({"tensorboard": True}, "set path"),
        ({"split_seed": 2**32}, "split_seed takes"),
    ],
)
def test_bad_configurations(options, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**options)
