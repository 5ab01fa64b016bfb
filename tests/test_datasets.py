"""SynTone to the letter and mended; its files; what damaged and hostile files do."""

import contextlib
import csv
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile

import librosa
import numpy as np
import pytest
import soundfile
from scipy import signal as dsp

from fastdis import FactorTable, _files, datasets
from fastdis.datasets import SynTone


def reference_generator(sample_rate, freqs, amps, duration=1):
    """The published generator, a clip at a time, in float64."""
    t = np.linspace(0, duration, sample_rate * duration)
    waves = {
        "sine": np.sin,
        "triangle": lambda x: dsp.sawtooth(x, 0.5),
        "sawtooth": dsp.sawtooth,
        "square": dsp.square,
    }
    rows = [(f, a, name) for f in freqs for a in amps for name in waves]
    return rows, np.stack([a * waves[name](2 * np.pi * f * t) for f, a, name in rows])


def test_published_is_the_reference_to_the_letter():
    data = SynTone("published", num_freqs=3, num_amps=2)
    rows, expected = reference_generator(16000, np.linspace(440, 8000, 3), np.linspace(0.1, 1, 2))
    table = data.table()
    assert [(f, a, data.space.factors[2].labels[int(w)]) for f, a, w in table.values] == rows
    audio = data.audio(slice(None))
    differs = np.abs(audio - expected) > 1e-5
    assert differs.mean() < 1e-4  # at a jump, rounding chooses the side
    mel = [librosa.feature.melspectrogram(y=clip, sr=16000) for clip in audio.astype(np.float64)]
    features = np.stack([librosa.util.normalize(m) for m in mel])[:, None]
    assert np.abs(data.features(slice(None)) - features).max() < 1e-5


def test_published_features_erase_amplitude(small_published):
    features = small_published.features(slice(None)).reshape(4, 4, 4, -1)
    assert np.abs(features - features[:, :1]).max() < 1e-5
    sound = SynTone("sound", num_freqs=2, num_amps=4).features(slice(None)).reshape(2, 4, 4, -1)
    step = np.diff(sound.max(axis=3), axis=1)
    assert step.min() > 0.02


def test_sound_features_scale_is_the_sets_and_not_the_clips():
    data = SynTone("sound")
    loudest = data.table().values
    rows = np.flatnonzero(loudest[:, 1] == 0.8)[::37]
    features = data.features(rows)
    assert 0.85 < features.max() <= 1.0
    assert features.min() == 0.0
    quiet = data.features(data.space.index_of([[100, 0, 1]]))
    loud = data.features(data.space.index_of([[100, 19, 1]]))
    both = (quiet > 0.2) & (loud < 1.0)
    assert np.allclose((loud - quiet)[both], 20 * np.log10(8) / 80, atol=1e-3)


def test_a_clip_is_a_function_of_its_index(small_sound):
    data = small_sound.source
    whole = data.features(slice(None))
    assert np.array_equal(data.features([63, 5, 5]), whole[[63, 5, 5]])
    features, values = data.batch(np.array([7, 8]))
    assert np.array_equal(features, whole[7:9])
    assert np.array_equal(values, data.table([7, 8]).values)
    assert np.array_equal(small_sound.features([7, 8]), whole[7:9])
    assert data.features([]).shape == (0, 1, 128, 32)
    assert datasets.build(data.options()).options() == data.options()


def test_other_lengths_and_rates():
    data = SynTone("sound", sample_rate=8000, duration=0.25, num_freqs=2, num_amps=1)
    assert data.audio([0]).shape == (1, 2000)
    assert data.features([0]).shape == (1, *data.feature_shape) == (1, 1, 128, 4)


@pytest.mark.parametrize("variant", ["published", "sound"])
def test_features_can_be_heard(variant):
    data = SynTone(variant, num_freqs=4, num_amps=2)
    row = int(data.space.index_of([[1, 1, 0]])[0])  # a sine, the louder one
    audio = data.to_audio(data.features([row]))
    assert audio.shape == (1, 16000)
    assert np.abs(audio).max() <= 1.0
    peak = np.abs(np.fft.rfft(audio[0] * np.hanning(16000))).argmax()
    # Within a mel band: the features hold no more.
    assert abs(peak - data.table([row])["frequency"][0]) < 60
    if variant == "sound":
        level = np.sqrt(2) * audio[0, 4000:12000].std()
        assert level == pytest.approx(data.table([row])["amplitude"][0], rel=0.35)


def test_describe(small_sound):
    assert small_sound.describe(3) == "440 Hz, amplitude 0.1, square"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "publishd"}, "did you mean 'published'"),
        ({"freq_end": 8000.5}, "freq_end takes"),
        ({"freq_start": -1.0}, "freq_start takes"),
        ({"freq_start": 500.0, "freq_end": 400.0}, "freq_end takes a number above"),
        ({"amp_start": float("nan")}, "amp_start takes a finite"),
        ({"amp_end": 1.5}, "amp_end takes"),
        ({"variant": "sound", "amp_end": 1.0}, "amp_end takes"),
        ({"num_freqs": 0}, "num_freqs takes"),
        ({"num_amps": 0}, "num_amps takes"),
        ({"sample_rate": 0}, "sample_rate takes"),
        ({"duration": 0.0}, "duration takes"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        SynTone(**options)


def test_sound_warns_where_timbre_is_lost():
    with pytest.warns(UserWarning, match="third harmonic"):
        SynTone("sound", freq_end=3000.0)


def test_one_clip_and_one_factor():
    data = SynTone("sound", num_freqs=1, num_amps=1)
    assert len(data) == 4
    assert data.features([2]).shape == (1, 1, 128, 32)
    with pytest.raises(IndexError, match="from 0 to 3"):
        data.batch([4])


# --- .npz


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
    told = datasets.load_npz(path).options()
    datasets.save_npz(SynTone("sound", num_freqs=2, num_amps=2), path)
    with pytest.raises(ValueError, match="other clips than it did"):
        datasets.build(told)


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
        ({"y": np.arange(3)}, "y takes one value a clip"),
        ({"metadata": {"freqs": np.ones(4)}}, "metadata takes a dict"),
        ({"metadata": [1, 2]}, "metadata takes a dict"),
        ({"classes": list("abc")}, r"\['d'\] missing"),
    ],
)
def test_foreign_npz(tmp_path, whole, change, message):
    told = {**whole, **change}
    told["metadata"] = np.array(told["metadata"], dtype=object)
    with pytest.raises(ValueError, match=message):
        datasets.load_npz(_npz(tmp_path / "f.npz", **told))


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


# --- shards


def _tree(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def test_shards_hold_the_features(tmp_path, small_sound):
    done = []
    folder = datasets.write_shards(
        small_sound.source, tmp_path / "s", rows_per_shard=24, progress=done.append
    )
    assert done == [24, 24, 16]
    shards = datasets.open_shards(folder)
    assert np.array_equal(shards.features([0, 63, 24, 23]), small_sound.array[[0, 63, 24, 23]])
    assert shards.table() == small_sound.table()
    assert np.array_equal(shards.audio([5]), small_sound.audio([5]))
    assert datasets.build(shards.options()).table([3]) == small_sound.table([3])
    mapped = np.load(folder / "shard-00000.npy", mmap_mode="r", allow_pickle=False)
    assert mapped.shape == (24, 1, 128, 32)


def test_a_killed_run_of_shards_ends_with_the_same_bytes(tmp_path):
    options = "'sound', num_freqs=40, num_amps=10"
    code = (
        "from fastdis.datasets import SynTone, write_shards; import sys\n"
        f"write_shards(SynTone({options}), sys.argv[1], rows_per_shard=64)"
    )
    broken, unbroken = tmp_path / "broken", tmp_path / "whole"
    process = subprocess.Popen([sys.executable, "-c", code, str(broken)])
    deadline = time.monotonic() + 120
    while len(list(broken.glob("shard-*.npy"))) < 3:
        assert time.monotonic() < deadline
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    data = SynTone("sound", num_freqs=40, num_amps=10)
    with pytest.raises(ValueError, match="not finished"):
        datasets.open_shards(broken)
    datasets.write_shards(data, broken, rows_per_shard=64)
    datasets.write_shards(data, unbroken, rows_per_shard=64)
    assert _tree(broken) == _tree(unbroken)


def test_a_full_disk_loses_nothing(tmp_path, small_sound, monkeypatch):
    data, folder = small_sound.source, tmp_path / "s"
    digests = iter(range(100))

    def full(path):
        if next(digests) == 2:  # of the table, the first shard, the second
            raise OSError(28, "No space left on device")
        return real(path)

    real = _files.digest
    monkeypatch.setattr(_files, "digest", full)
    with pytest.raises(OSError, match="No space left"):
        datasets.write_shards(data, folder, rows_per_shard=24)
    assert not list(folder.glob("*.partial"))
    monkeypatch.undo()
    datasets.write_shards(data, folder, rows_per_shard=24)
    datasets.write_shards(data, tmp_path / "t", rows_per_shard=24)
    assert _tree(folder) == _tree(tmp_path / "t")


def test_damaged_shards(tmp_path, small_sound):
    folder = datasets.write_shards(small_sound.source, tmp_path / "s", rows_per_shard=32)
    file = folder / "shard-00001.npy"
    whole = bytearray(file.read_bytes())
    file.write_bytes(whole[:-7] + b"\x00" * 7)
    shards = datasets.open_shards(folder)
    shards.features([0])  # the other shard is whole
    with pytest.raises(ValueError, match=r"shard-00001\.npy.*checksum"):
        shards.features([40])
    file.unlink()
    with pytest.raises(FileNotFoundError, match="shard-00001"):
        datasets.open_shards(folder).features([40])
    datasets.write_shards(small_sound.source, folder, rows_per_shard=32)
    assert file.read_bytes() == bytes(whole)  # made again
    with pytest.raises(ValueError, match="holds other shards"):
        datasets.write_shards(small_sound.source, folder, rows_per_shard=16)
    with pytest.raises(ValueError, match=r"differ in \['rows'"):
        datasets.write_shards(SynTone("sound", num_freqs=2), folder, rows_per_shard=32)


def test_a_table_left_by_another_set_is_not_taken_for_this_ones(tmp_path, small_sound):
    folder = tmp_path / "s"
    folder.mkdir()
    SynTone("sound", num_freqs=2, num_amps=2).table().to_parquet(folder / "factors.parquet")
    datasets.write_shards(small_sound.source, folder)
    assert datasets.open_shards(folder).table() == small_sound.table()
    (folder / "factors.parquet").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"factors\.parquet.*checksum"):
        datasets.open_shards(folder).table()
    datasets.write_shards(small_sound.source, folder)
    assert datasets.open_shards(folder).table() == small_sound.table()


def test_shards_need_their_source_for_sound_alone(tmp_path, small_published):
    npz = datasets.save_npz(small_published, tmp_path / "a.npz")
    folder = datasets.write_shards(datasets.load_npz(npz), tmp_path / "s")
    npz.unlink()
    shards = datasets.open_shards(folder)
    assert np.array_equal(shards.features(slice(None)), small_published.array)
    assert shards.table() == small_published.table()
    with pytest.raises(FileNotFoundError, match=r"a\.npz"):
        shards.audio([0])


def test_two_writers_of_one_folder(tmp_path, small_sound):
    for write in (datasets.write_shards, datasets.export_audio):
        with (
            _files.only_writer(tmp_path / "s"),
            pytest.raises(BlockingIOError, match="written to by another"),
        ):
            write(small_sound.source, tmp_path / "s")


@pytest.mark.parametrize("text", ["{", '{"format": "other"}', "[]", '{"format": "fastdis-shards"}'])
def test_foreign_manifests(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json|version None"):
        datasets.open_shards(tmp_path)
    with pytest.raises(FileNotFoundError):
        datasets.open_shards(tmp_path / "none")


def test_a_manifest_of_a_later_version(tmp_path, small_sound):
    folder = datasets.write_shards(small_sound.source, tmp_path / "s")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "version": 2}))
    with pytest.raises(ValueError, match="version 2"):
        datasets.open_shards(folder)


# --- folders of audio


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_export_and_its_labels(tmp_path, small_sound, format):
    folder = datasets.export_audio(small_sound.source, tmp_path / "a", format=format)
    with open(folder / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 64
    assert FactorTable.from_parquet(folder / "labels.parquet") == small_sound.table()
    row = rows[7]
    audio, rate = soundfile.read(folder / row["file"], dtype="float32")
    assert rate == 16000
    assert np.abs(audio - small_sound.audio([7])[0]).max() < 2**-22
    assert (float(row["frequency"]), row["waveform_label"]) == (440.0, "square")


def test_export_goes_on_where_it_stopped(tmp_path, small_sound):
    folder = datasets.export_audio(small_sound.source, tmp_path / "a")
    before = _tree(folder)
    for name in ("000003.wav", "labels.csv"):
        (folder / name).unlink()
    (folder / "000004.wav.999999999.partial").write_bytes(b"torn")
    datasets.export_audio(small_sound.source, folder)
    assert _tree(folder) == before


def test_export_into_the_folder_of_another_set(tmp_path, small_sound):
    folder = datasets.export_audio(SynTone("sound", num_freqs=1, num_amps=1), tmp_path / "a")
    before = _tree(folder)
    with pytest.raises(ValueError, match="sound of another data set"):
        datasets.export_audio(small_sound.source, folder)
    assert _tree(folder) == before


def test_full_scale_clips_can_be_exported():
    data = SynTone("published", num_amps=1, amp_start=1.0, amp_end=1.0)
    for start in range(0, len(data), 400):
        audio = data.audio(slice(start, start + 400))
        assert np.abs(audio).max() <= 1.0


def test_a_full_disk_in_export_names_the_file(tmp_path, small_sound, monkeypatch):
    def full(file, *_, **__):
        raise soundfile.LibsndfileError(2)

    monkeypatch.setattr(soundfile, "write", full)
    with pytest.raises(OSError, match=r"0000\d\d\.wav"):
        datasets.export_audio(small_sound.source, tmp_path)
    assert not list(tmp_path.glob("*.partial"))


def test_only_what_a_killed_process_left_is_removed(tmp_path):
    for name in ("mine.partial", "a.json.999999999.partial", f"b.{os.getppid()}.partial"):
        (tmp_path / name).write_text("")
    _files.remove_partial(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == sorted([f"b.{os.getppid()}.partial", "mine.partial"])


def test_export_without_soundfile(tmp_path, small_sound, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ImportError, match="pip install soundfile"):
        datasets.export_audio(small_sound.source, tmp_path)


def test_unwritable_places(small_sound, tmp_path):
    (tmp_path / "file").write_text("")
    for write in (
        lambda p: datasets.save_npz(small_sound, p / "a.npz"),
        lambda p: datasets.write_shards(small_sound, p / "s"),
        lambda p: datasets.export_audio(small_sound, p / "a"),
    ):
        with pytest.raises(OSError, match="file"):
            write(tmp_path / "file")


def test_replacing_keeps_what_was_there(tmp_path):
    path = tmp_path / "a.json"
    _files.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        _files.write_json(path, {"a": float("nan")})
    assert _files.read_json(path, "x") == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
