"""Several processes on one batch: the losses of one process, clips apart, one stop for all."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from fastdis import _devices, _files, cli, datasets, train_many, training
from fastdis.training import checkpoints, distributed
from fastdis.training.batches import plan_batches
from tests import forks
from tests.objectives.objective_data import one_thread
from tests.training import parallel_runs
from tests.training.parallel_runs import CASES, member
from tests.training.training_data import (
    Noted,
    config,
    equal,
    losses,
    parts,
    small_discriminator,
    weights,
)

ROOT = Path(__file__).parents[2]
AS_ONE = 1e-9  # float64, added up in another order


def torchrun(*arguments):
    """Two processes, on the loopback device alone; a hang fails here."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=forks.SECONDS, check=False,
        env=os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def together(meeting, case, *each):
    """Exit codes and results of a process for each ``(folder, options)``."""
    meeting.mkdir()
    started = [
        forks.start(member, rank, len(each), str(meeting), folder and str(folder), case, options)
        for rank, (folder, options) in enumerate(each)
    ]
    codes = forks.ended(*started)
    return codes, [
        json.loads((meeting / f"{case}-{rank}.json").read_text()) for rank in range(len(each))
    ]


def left(folder, case, rank):
    """The weights that a process ended with."""
    return load_file(folder / f"{case}-{rank}.safetensors")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder in which two processes have left what each case came to."""
    folder = tmp_path_factory.mktemp("two")
    done = torchrun("tests.training.parallel_runs", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""  # no warning of a group that was not left, either
    return folder


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("fastdis.objectives.total_correlation.Discriminator", small_discriminator)
    with one_thread():
        yield


def assert_like_one(case, notes, found):
    alone, _ = parallel_runs.run(case)
    for mine, expected in zip(notes["losses"], losses(alone), strict=True):
        assert mine == pytest.approx(expected, rel=AS_ONE, abs=AS_ONE)
    for key, weight in weights(alone).items():
        torch.testing.assert_close(found[key], weight, rtol=AS_ONE, atol=AS_ONE)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_end_like_one(case, two):
    for rank in (0, 1):
        saved = json.loads((two / f"{case}-{rank}.json").read_text())
        assert_like_one(case, saved, left(two, case, rank))
        assert saved["whole"]  # and the objective takes whole batches again


@pytest.mark.parametrize("case", CASES)
def test_each_reads_its_part_of_every_batch_alone(case, two):
    name, _ = CASES[case]
    clips = plan_batches(*parts(name), Noted(), parallel_runs.how(case), 2)
    read = []
    for rank in (0, 1):
        expected = []
        for epoch in (0, 1):
            expected += [batch[rank::2].tolist() for batch in clips.epoch(0, epoch)]
            expected += [batch.tolist() for batch in clips.validation()[rank::2]]
        asked = json.loads((two / f"{case}-{rank}.json").read_text())["asked"]
        assert asked == expected
        read.append({row for part in asked[: len(clips.epoch(0, 0))] for row in part})
    if not parts(name)[1].pairs:  # whose partners are drawn from all
        assert not read[0] & read[1]
        assert len(read[0] | read[1]) == sum(map(len, clips.epoch(0, 0)))


@pytest.mark.parametrize("case", ["beta_tcvae", "factor_vae", "ada_gvae"])
def test_three_of_which_one_may_have_no_clips_of_a_batch(case, tmp_path):
    codes, notes = together(tmp_path / "three", case, *[(None, {})] * 3)
    assert codes == [0, 0, 0], notes
    for rank in range(3):
        assert_like_one(case, notes[rank], left(tmp_path / "three", case, rank))


@pytest.mark.parametrize(
    ("number", "whom", "error"),
    [
        (signal.SIGTERM, 1, "SystemExit: 143"),
        (signal.SIGINT, 0, "KeyboardInterrupt: stopped at the end of a step"),
    ],
)
def test_a_signal_to_one_stops_both_and_they_go_on(tmp_path, two, number, whom, error):
    """Only the first one's folder is there: the other one follows it."""
    folders = tmp_path / "run", tmp_path / "nowhere"
    stop = [(folder, {"stop": None}) for folder in folders]
    stop[whom][1]["stop"] = (4, int(number))
    codes, notes = together(tmp_path / "first", "vae", *stop)
    assert codes == [1, 1]
    assert notes[whom]["error"] == error
    assert notes[1 - whom]["error"] == "KeyboardInterrupt: another process was stopped"
    _, state = checkpoints.load(folders[0] / "last.safetensors")
    assert state["epoch"] == 0
    assert 2 <= state["step"] <= 5
    codes, notes = together(tmp_path / "second", "vae", *[(folder, {}) for folder in folders])
    assert codes == [0, 0], notes
    for rank in (0, 1):
        assert equal(left(tmp_path / "second", "vae", rank), left(two, "vae", rank))
    assert not folders[1].exists()


def test_one_process_then_two_then_one(tmp_path):
    case, folder = "factor_vae", tmp_path / "run"
    many = {"batch_size": 8, "epochs": 3}
    with pytest.raises(KeyboardInterrupt):
        parallel_runs.run(case, folder, stop=(3, signal.SIGINT), **many)
    stop = (folder, {**many, "stop": (6, int(signal.SIGTERM))})
    codes, notes = together(tmp_path / "two", case, stop, (folder, many))
    assert codes == [1, 1], notes
    _, state = checkpoints.load(folder / "last.safetensors")
    assert (state["epoch"], state["step"]) > (0, 3)
    ended, _ = parallel_runs.run(case, folder, **many)
    alone, _ = parallel_runs.run(case, **many)
    for found, expected in zip(losses(ended), losses(alone), strict=True):
        assert found == pytest.approx(expected, rel=AS_ONE, abs=AS_ONE)
    for key, weight in weights(alone).items():
        torch.testing.assert_close(weights(ended)[key], weight, rtol=AS_ONE, atol=AS_ONE)


def test_weights_are_the_first_ones(tmp_path, two):
    each = [(None, {"model_seed": seed}) for seed in (0, 1)]
    codes, notes = together(tmp_path / "meeting", "vae", *each)
    assert codes == [0, 0], notes
    assert equal(left(tmp_path / "meeting", "vae", 1), left(two, "vae", 1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([{"batch_size": 1}] * 2, "batch_size takes at least a clip for each of 2 processes"),
        ([{}, {"learning_rate": 1.0}], "than the first: config learning_rate is 1.0, there 0.001"),
    ],
)
def test_mistakes_end_both(tmp_path, options, message):
    codes, notes = together(tmp_path / "meeting", "vae", *[(None, each) for each in options])
    assert codes == [1, 1]
    assert message in notes[1]["error"]


def test_a_folder_that_another_process_writes_to_ends_both(tmp_path):
    with _files.only_writer(tmp_path / "run"):
        each = [(tmp_path / "run", {})] * 2
        codes, notes = together(tmp_path / "meeting", "vae", *each)
    assert codes == [1, 1]
    assert "written to by another process" in notes[0]["error"]


def test_many_models_and_evaluation_are_for_one_process(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    model, objective = parts()
    terms = training.evaluate(model.double(), objective.double(), Noted(), range(9))
    assert terms["loss"] > 0
    assert not torch.distributed.is_initialized()
    monkeypatch.setattr(distributed, "_initialized", lambda: True)
    monkeypatch.setattr(distributed, "rank_and_size", lambda: (1, 2))
    with pytest.raises(ValueError, match="train_many takes one process, got 2"):
        train_many(*parts(), Noted(), config(), seeds=[0, 1])


def test_a_gpu_of_its_own_for_each_process(monkeypatch):
    cuda = torch.device("cuda")
    assert _devices.device_of(cuda) == cuda
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert _devices.device_of(cuda) == torch.device("cuda:1")
    assert _devices.device_of(torch.device("cpu")) == torch.device("cpu")
    with pytest.raises(RuntimeError, match=r"device takes 'cuda' for 2 processes .* got 'cuda:0'"):
        _devices.device_of(torch.device("cuda:0"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(RuntimeError, match="each of 2 processes on one machine, there are 1"):
        _devices.device_of(cuda)


def test_the_command_line(tmp_path, capsys):
    data = datasets.SynTone("sound", num_freqs=4, num_amps=4)
    datasets.write_shards(data, tmp_path / "shards")
    command = ["train", "--dataset", str(tmp_path / "shards"), "--objective", "beta_tcvae"]
    command += ["--epochs", "1", "--batch_size", "16", "--latent_dim", "2"]
    command += ["--compile", "never", "--memory_format", "contiguous", "--dtype", "float64"]
    assert cli.main([*command, "--path", str(tmp_path / "one")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'one'}\n"
    done = torchrun("fastdis", *command, "--path", tmp_path / "two")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'two'}\n"
    assert done.stderr.count("training beta_tcvae") == 1
    assert "computing the features" not in done.stderr  # of clips that another process takes
    one, both = (training.load(tmp_path / each / "beta_tcvae") for each in ("one", "two"))
    for found, expected in zip(losses(both), losses(one), strict=True):
        assert found == pytest.approx(expected, rel=AS_ONE)


def test_seeds_and_choices_of_the_command_line(tmp_path, capsys):
    datasets.write_shards(datasets.SynTone("sound", num_freqs=4, num_amps=4), tmp_path / "shards")
    command = ["train", "--dataset", str(tmp_path / "shards"), "--path", str(tmp_path / "runs")]
    command += ["--objective", "vae", "--epochs", "1", "--batch_size", "16", "--latent_dim", "2"]
    command += ["--compile", "never", "--memory_format", "contiguous", "--dtype", "float64"]
    command += ["--schedule", "cosine", "--warmup_steps", "2", "--seeds", "3", "5"]
    assert cli.main(command) == 0
    for seed in (3, 5):
        result = training.load(tmp_path / "runs" / "vae" / f"seed={seed}")
        assert result.config.seed == seed
        assert (result.config.schedule, result.config.warmup_steps) == ("cosine", 2)
        assert (result.choice.plan.dtype, result.choice.plan.memory_format) == (
            "float64",
            "contiguous",
        )
    with pytest.raises(SystemExit, match="2"):
        cli.main([*command, "--seed", "3"])
    assert "not allowed with argument" in capsys.readouterr().err
