"""Checkpoints: a truncated or altered file raises an error, and the one before it is there."""

import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from fastdis import _files
from fastdis.training import checkpoints
from tests import forks

RNG = torch.arange(5, dtype=torch.uint8)
TENSORS = {
    "weight": torch.arange(24.0).reshape(2, 3, 2, 2).to(memory_format=torch.channels_last),
    "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "step": torch.tensor(7),
    "empty": torch.zeros(0, 3),
    "rng": RNG,
    "mask": torch.tensor([True, False]),
    "shared": RNG,
    "part": RNG[1:3],
}
STATE = {"epoch": 3, "history": [{"loss": 0.5}]}


def _same(tensors, expected=TENSORS):
    return tensors.keys() == expected.keys() and all(
        tensors[key].dtype == expected[key].dtype and torch.equal(tensors[key], expected[key])
        for key in expected
    )


def _fault(file):
    try:
        checkpoints.load(file)
    except ValueError as error:
        return str(error)


def _numbered(number):
    return {"weight": torch.full((3,), float(number))}, {"number": number}


def _newest(path, previous):
    """The numbers of what can be read, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = list(checkpoints.load_newest(path, previous))
    assert all(tensors["weight"].eq(state["number"]).all() for _, tensors, state in found)
    return [(file.name, state["number"]) for file, _, state in found]


@pytest.fixture
def files(tmp_path):
    """Where the newest and the one before it stand, with numbers 2 and 1 in them."""
    path, previous = tmp_path / "last.safetensors", tmp_path / "previous.safetensors"
    for number in (1, 2):
        checkpoints.save_rotating(path, previous, *_numbered(number))
    return path, previous


def test_every_kind_of_tensor_comes_back(tmp_path):
    file = tmp_path / "a"
    checkpoints.save(file, TENSORS, STATE)
    tensors, state = checkpoints.load(file)
    assert _same(tensors)
    assert state == STATE


def test_one_bit_anywhere_is_told(tmp_path):
    """Header, names, state, checksum and tensors; only blanks that pad the header mean nothing."""
    file = tmp_path / "a"
    checkpoints.save(file, TENSORS, STATE)
    whole = file.read_bytes()
    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= 1 << place % 8
        file.write_bytes(altered)
        fault = _fault(file)
        if whole[place : place + 1] == b" " and fault is None:
            tensors, state = checkpoints.load(file)
            assert _same(tensors)
            assert state == STATE
        else:
            assert fault is not None, f"byte {place}"
            assert str(file) in fault


def test_a_file_cut_anywhere_is_told(tmp_path):
    file = tmp_path / "a"
    checkpoints.save(file, TENSORS, STATE)
    whole = file.read_bytes()
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a is truncated"):
            checkpoints.load(file)


@pytest.mark.parametrize(
    "other",
    [
        {"weight": torch.zeros(4)},
        {"weights": torch.zeros(2, 2)},
        {"weight": torch.zeros(2, 2, dtype=torch.int32)},
        {"weight": torch.tensor([[0.0, 0.0], [0.0, 1e-45]])},
    ],
    ids=["shape", "name", "dtype", "value"],
)
def test_a_checksum_of_other_tensors_differs(tmp_path, other):
    file = tmp_path / "a"
    checkpoints.save(file, {"weight": torch.zeros(2, 2)}, STATE)
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata()
    save_file(other, file, metadata)
    with pytest.raises(ValueError, match=r"a is damaged: its checksum differs"):
        checkpoints.load(file)
    save_file({"weight": torch.zeros(2, 2)}, file, {**metadata, "state": json.dumps({"epoch": 4})})
    with pytest.raises(ValueError, match=r"a is damaged: its checksum differs"):
        checkpoints.load(file)


def test_saving_keeps_the_one_before(files):
    path, previous = files
    assert _newest(path, previous) == [(path.name, 2), (previous.name, 1)]
    checkpoints.save_rotating(path, previous, *_numbered(3))
    assert _newest(path, previous) == [(path.name, 3), (previous.name, 2)]
    assert sorted(path.parent.iterdir()) == sorted(files)


class Stopped(BaseException):
    """In place of the end of the process."""


@pytest.mark.parametrize(("renames", "expected"), [(0, [2, 1]), (1, [2]), (2, [3, 2])])
def test_a_stop_before_any_rename_leaves_a_whole_one(files, monkeypatch, renames, expected):
    real, done = os.replace, []

    def replace(source, target):
        if len(done) == renames:
            raise Stopped
        done.append(target)
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    try:
        checkpoints.save_rotating(*files, *_numbered(3))
    except Stopped:
        assert renames < 2
    monkeypatch.undo()
    assert [number for _, number in _newest(*files)] == expected
    checkpoints.save_rotating(*files, *_numbered(4))  # and it goes on from there
    assert _newest(*files)[0][1] == 4


def test_the_new_one_is_on_the_disk_before_either_rename(files, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, f=real: (calls.append(n), f(*a))[1])
    checkpoints.save_rotating(*files, *_numbered(3))
    assert calls.index("fsync") < calls.index("replace")
    assert calls.count("replace") == 2


def test_a_full_disk_leaves_both(files, monkeypatch):
    def full(path, data):
        path.open("wb").close()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"cannot write .*last\.safetensors: No space left"):
        checkpoints.save_rotating(*files, *_numbered(3))
    monkeypatch.undo()
    assert [number for _, number in _newest(*files)] == [2, 1]
    assert sorted(files[0].parent.iterdir()) == sorted(files)


TORN = """
import resource, signal, sys, torch
from pathlib import Path
from fastdis.training import checkpoints
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (10**5, 10**5))
tensors = {"weight": torch.full((10**5,), 3.0)}
checkpoints.save_rotating(Path(sys.argv[1]), Path(sys.argv[2]), tensors, {"number": 3})
"""


def test_a_process_killed_while_it_writes_leaves_both_and_nothing_else(files):
    """Its end comes at a limit of the file's size, always amid the tensors."""
    done = subprocess.run([sys.executable, "-c", TORN, *map(str, files)], timeout=forks.SECONDS)
    assert done.returncode == -signal.SIGXFSZ
    _files.remove_partial(files[0].parent)
    assert [number for _, number in _newest(*files)] == [2, 1]
    assert sorted(files[0].parent.iterdir()) == sorted(files)


@pytest.mark.parametrize("fault", ["truncated", "altered", "foreign", "empty"])
def test_a_damaged_newest_is_named_and_never_takes_the_place_of_a_whole_one(files, fault):
    path, previous = files
    whole = path.read_bytes()
    if fault == "truncated":
        path.write_bytes(whole[:-3])
    elif fault == "altered":
        path.write_bytes(whole[:-1] + b"\1")
    elif fault == "foreign":
        save_file({"a": torch.zeros(1)}, path)
    else:
        path.write_bytes(b"")
    with pytest.warns(UserWarning, match=r"left out: .*last\.safetensors is") as caught:
        found = list(checkpoints.load_newest(path, previous))
    assert len(caught) == 1
    assert [(file, state["number"]) for file, _, state in found] == [(previous, 1)]
    checkpoints.save_rotating(path, previous, *_numbered(3))
    assert _newest(path, previous) == [(path.name, 3), (previous.name, 1)]


def test_the_older_one_is_read_only_where_it_is_asked_for(files):
    path, previous = files
    previous.write_bytes(b"damaged")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert next(checkpoints.load_newest(path, previous))[2] == {"number": 2}


def test_nothing_there_and_nothing_readable(files, tmp_path):
    assert list(checkpoints.load_newest(tmp_path / "a", tmp_path / "b")) == []
    for file in files:
        file.write_bytes(b"damaged")
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(ValueError, match=r"no checkpoint can be read: .*last.*; .*previous"),
    ):
        next(checkpoints.load_newest(*files), None)


def test_another_version_is_no_damage(files, tmp_path):
    """Version 1 had no checksum; an older file of this version does not stand in for it."""
    path, previous = files
    metadata = {"format": checkpoints.FORMAT, "version": "1", "state": "{}"}
    save_file({"weight": torch.zeros(3)}, path, metadata)
    for reads in (checkpoints.load, lambda file: next(checkpoints.load_newest(file, previous))):
        with pytest.raises(checkpoints.VersionError, match=r"last.* is of version 1, this reads"):
            reads(path)
    checkpoints.save(path, *_numbered(3))
    assert _newest(path, previous) == [(path.name, 3), (previous.name, 1)]
