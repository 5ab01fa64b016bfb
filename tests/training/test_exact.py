"""A run that was killed, at whatever moment, ends with the bits of the one that was not."""

import json
import shutil
import signal
import warnings

import pytest
import torch

from tests import forks
from tests.objectives.objective_data import one_thread
from tests.training.exact_runs import checkpoints, child, exact
from tests.training.training_data import small_discriminator

KINDS = ["vae", "factor_vae", "dropout", ("factor_vae", "threads"), ("factor_vae", "stacked")]
# One after the other in one run of 6 epochs of 4 steps, counted from where each goes on.
DEATHS = [
    ("SIGKILL", 2),  # nothing is written yet
    ("SIGTERM", 3),  # a checkpoint within the first epoch
    ("SIGINT", 2),
    ("half written", 1),
    ("before last", 1),  # what was the last one is now the one before it, alone
    ("after last", 1),  # of two models, the other one's is missing
    ("SIGKILL", 4),
    ("before previous", 1),
    ("before best", 1),
    ("SIGTERM", 1),
    ("after last", 2),
]
ENDS = {"SIGTERM": "SystemExit: 143", "SIGINT": "KeyboardInterrupt: stopped at the end of a step"}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("fastdis.objectives.total_correlation.Discriminator", small_discriminator)
    with one_thread():
        yield


def assert_same_bits(found, expected):
    assert found.keys() == expected.keys()
    for name, (tensors, state) in expected.items():
        assert found[name][1] == state
        assert found[name][0].keys() == tensors.keys()
        for key, tensor in tensors.items():
            assert torch.equal(found[name][0][key], tensor), key


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_killed_again_and_again(tmp_path, kind):
    report, broken, whole = (tmp_path / each for each in ("report", "broken", "whole"))
    assert forks.ended(forks.start(child, kind, str(whole), str(report), None)) == [0]
    for moment in DEATHS:
        what, _ = moment
        code = forks.ended(forks.start(child, kind, str(broken), str(report), moment))
        assert code == [1 if what in ENDS else -signal.SIGKILL], moment
        if what in ENDS:
            assert json.loads(report.read_text())["error"] == ENDS[what]
    assert forks.ended(forks.start(child, kind, str(broken), str(report), None)) == [0]
    assert_same_bits(checkpoints(broken), checkpoints(whole))


def _truncated(data):
    return data[: 2 * len(data) // 3]


def _flipped(at):
    def flip(data):
        place = at if at >= 0 else len(data) + at
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

    return flip


DAMAGES = {
    "truncated": _truncated,
    "empty": lambda data: b"",
    "zeros, as after a power cut": lambda data: bytes(len(data)),
    "a bit of the header's length": _flipped(0),
    "a bit of the state": _flipped(300),
    "a bit of a weight": _flipped(-3),
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A run that was stopped in its second epoch, and the bits of the one that was not."""
    folder = tmp_path_factory.mktemp("stopped")
    with one_thread():
        exact("vae", folder / "whole")
        with pytest.raises(KeyboardInterrupt):
            exact("vae", folder / "broken", (8, signal.SIGINT))
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_left_out_and_the_one_before_it_used(tmp_path, stopped, damage):
    folder = shutil.copytree(stopped / "broken", tmp_path / "run")
    last = folder / "last.safetensors"
    last.write_bytes(DAMAGES[damage](last.read_bytes()))
    with pytest.warns(UserWarning, match=r"checkpoint left out: .*/last\.safetensors") as caught:
        exact("vae", folder)
    assert len(caught) == 1
    assert_same_bits(checkpoints(folder), checkpoints(stopped / "whole"))


def test_a_damaged_one_before_it_is_not_looked_at(tmp_path, stopped):
    folder = shutil.copytree(stopped / "broken", tmp_path / "run")
    (folder / "previous.safetensors").write_bytes(b"")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exact("vae", folder)
    assert_same_bits(checkpoints(folder), checkpoints(stopped / "whole"))


def test_where_both_are_damaged_nothing_is_trained_anew(tmp_path, stopped):
    folder = shutil.copytree(stopped / "broken", tmp_path / "run")
    both = [folder / f"{name}.safetensors" for name in ("last", "previous")]
    for path in both:
        path.write_bytes(path.read_bytes()[:-1])
    left = [path.read_bytes() for path in both]
    with (
        pytest.warns(UserWarning, match="checkpoint left out"),
        pytest.raises(ValueError, match=r"no checkpoint can be read: .*last.*previous"),
    ):
        exact("vae", folder)
    assert [path.read_bytes() for path in both] == left
