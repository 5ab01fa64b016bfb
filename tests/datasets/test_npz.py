"""SynTone's .npz file: the reference's, ours, damaged, foreign and hostile ones."""

import contextlib
import os
import pickle
import zipfile

import numpy as np
import pytest

import fastdis as fd
from fastdis import datasets
from fastdis.datasets import SynTone
from tests.studies.syntone_reference import reference_generator


def test_npz_is_read_by_the_reference_loader_and_by_ours(tmp_path, small_published):
    path = datasets.save_npz(small_published, tmp_path / "a.npz")
    data = np.load(path, allow_pickle=True)  # as the reference does
    metadata, classes = data["metadata"].tolist(), data["classes"].tolist()
    assert classes == ["sine", "triangle", "sawtooth", "square"]
    assert [classes.index(name) for name in metadata["waveforms"]] == data["y"].tolist()
    assert np.array_equal(data["x"], small_published.audio(slice(None)))
    again = datasets.load_npz(path)
    assert again.table() == small_published.table()
    assert np.array_equal(again.features(slice(None)), small_published.array)
    assert datasets.build(again.options()).table() == again.table()
    first = path.read_bytes()
    assert datasets.save_npz(small_published, path).read_bytes() == first


def test_npz_of_the_reference_itself(tmp_path):
    rows, x = reference_generator(4000, [440.0, 880.0], [0.5, 1.0])
    freqs, amps, waves = (np.array(column) for column in zip(*rows, strict=True))
    y = np.tile(np.arange(4), 4)
    names = ["sine", "triangle", "sawtooth", "square"]
    metadata = {"freqs": freqs, "amps": amps, "waveforms": waves}
    path = tmp_path / "r.npz"
    np.savez_compressed(path, x=x, y=y, metadata=metadata, classes=names)
    data = datasets.load_npz(path)
    assert data.sample_rate == 4000
    assert np.array_equal(data.table()["frequency"], freqs)
    assert np.array_equal(data.table()["waveform"], y)
    assert np.allclose(data.audio([3]), x[3], atol=1e-6)
    assert data.audio([3]).dtype == np.float32


class Hostile:
    """Runs a command when unpickled by anything that trusts it."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


def test_a_pickle_that_forges_an_array_of_addresses_is_refused(tmp_path, whole):
    """Names that NumPy's own pickles use, put together so that bytes become object pointers."""

    class Forged:
        def __reduce__(self):
            reconstruct = np.zeros(1).__reduce__()[0]
            dtype = np.dtype("O")
            state = (1, (1,), dtype, False, b"\x41" * 8)
            return reconstruct, (np.ndarray, (0,), b"b"), state

    header = b"\x93NUMPY\x01\x00v\x00" + (
        b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"
    )
    for forged in (Forged(), {"freqs": Forged()}, {"freqs": np.zeros(2, [("a", "O")])}, {"a": {1}}):
        path = _npz(tmp_path / "f.npz", **{key: whole[key] for key in ("x", "y", "classes")})
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("metadata.npy", header + pickle.dumps(forged, 4))
        with pytest.raises(ValueError, match=r"refused"):
            datasets.load_npz(path)


def test_bytes_flipped_anywhere_give_one_kind_of_error(tmp_path, whole, rng):
    data = _npz(tmp_path / "w.npz", **whole).read_bytes()
    path = tmp_path / "d.npz"
    for _ in range(300):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):  # anything else would be a traceback
            datasets.load_npz(path)


def test_a_file_with_other_clips_than_before(tmp_path, small_sound):
    path = datasets.save_npz(small_sound, tmp_path / "a.npz")
    options = datasets.load_npz(path).options()
    datasets.save_npz(SynTone("sound", num_freqs=2, num_amps=2), path)
    with pytest.raises(ValueError, match="have changed since"):
        datasets.build(options)


def _npz(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.fixture
def whole():
    return {
        "x": np.zeros((4, 100)),
        "y": np.arange(4),
        "metadata": {"freqs": np.ones(4), "amps": np.ones(4), "waveforms": np.array(list("abcd"))},
        "classes": list("abcd"),
    }


def test_hostile_pickles_are_refused_and_never_executed(tmp_path, whole):
    target = tmp_path / "executed"
    for metadata in (Hostile(target), {"freqs": Hostile(target)}):
        path = _npz(tmp_path / "h.npz", **{**whole, "metadata": np.array(metadata, dtype=object)})
        with pytest.raises(ValueError, match=r"system.*refused"):
            datasets.load_npz(path)
    assert not target.exists()
    np.load(path, allow_pickle=True)["metadata"]  # the trap does work
    assert target.exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_of_plain_metadata(tmp_path, whole, protocol):
    path = _npz(tmp_path / "p.npz", **{key: whole[key] for key in ("x", "y", "classes")})
    header = b"\x93NUMPY\x01\x00v\x00" + (
        b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"
    )
    array = np.array(whole["metadata"], dtype=object)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("metadata.npy", header + pickle.dumps(array, protocol))
    assert len(datasets.load_npz(path)) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros(4)}, "x takes floats"),
        ({"x": np.zeros((0, 4))}, "x takes floats"),
        ({"y": np.arange(3)}, "y takes one value per clip"),
        ({"metadata": {"freqs": np.ones(4)}}, "metadata takes a dict"),
        ({"metadata": [1, 2]}, "metadata takes a dict"),
        ({"classes": list("abc")}, r"\['d'\] missing"),
    ],
)
def test_foreign_npz(tmp_path, whole, change, message):
    members = {**whole, **change}
    members["metadata"] = np.array(members["metadata"], dtype=object)
    with pytest.raises(ValueError, match=message):
        datasets.load_npz(_npz(tmp_path / "f.npz", **members))


def test_missing_truncated_and_lying_npz(tmp_path, whole):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        datasets.load_npz(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(ValueError, match=r"text\.npz is truncated or is not"):
        datasets.load_npz(tmp_path / "text.npz")
    path = _npz(tmp_path / "k.npz", x=whole["x"])
    with pytest.raises(ValueError, match="the key 'y' is missing"):
        datasets.load_npz(path)
    path = _npz(tmp_path / "t.npz", **whole)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="truncated"):
        datasets.load_npz(path)
    path = _npz(tmp_path / "l.npz", **{key: whole[key] for key in ("y", "metadata", "classes")})
    with zipfile.ZipFile(path, "a") as archive, archive.open("x.npy", "w") as member:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**6)}
        np.lib.format.write_array_header_1_0(member, header)
    with pytest.raises(ValueError, match="more than it holds"):
        datasets.load_npz(path)


def test_npz_of_a_set_with_nan_is_refused_when_read(tmp_path, whole):
    whole["x"][2, 5] = np.nan
    data = datasets.load_npz(_npz(tmp_path / "n.npz", **whole))
    with pytest.raises(ValueError, match="finite"):
        data.audio([2])


def test_what_a_killed_run_left_is_removed_and_the_file_is_the_same(tmp_path, small_sound):
    whole = datasets.save_npz(small_sound, tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").unlink()
    left, others = tmp_path / "a.npz.999999999.partial", tmp_path / "b.npz.999999999.partial"
    for path in (left, others):
        path.write_bytes(whole[:1000])
    assert datasets.save_npz(small_sound, tmp_path / "a.npz").read_bytes() == whole
    assert not left.exists()
    assert others.exists()  # of another file, whose writer may come back


def test_a_full_disk_keeps_the_file_that_was_there(tmp_path, small_sound, monkeypatch):
    path = datasets.save_npz(small_sound, tmp_path / "a.npz")
    before = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile._ZipWriteFile, "write", full)
    with pytest.raises(OSError, match="No space left"):
        datasets.save_npz(small_sound, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_full_scale_is_the_mel_power_of_the_loudest_square(tmp_path):
    sets = [SynTone(variant, num_freqs=2, num_amps=2) for variant in ("published", "corrected")]
    sets.append(datasets.load_npz(datasets.save_npz(sets[0], tmp_path / "set.npz")))
    largest = fd.mel_filters(sr=16000, n_fft=2048).max()
    for dataset in sets:
        assert dataset.full_scale == pytest.approx(largest * (4 / np.pi * 2048 / 4) ** 2)
