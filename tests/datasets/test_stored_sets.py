"""Shards and folders of sound: whole after any stop, and never taken for another set's."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile

from fastdis import FactorTable, _files, datasets
from fastdis.datasets import SynTone
from fastdis.datasets.shards import _blocks


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
        "import os, signal, sys; from fastdis.datasets import SynTone, write_shards\n"
        "finished = []\n"
        "def progress(rows):\n"
        "    finished.append(rows)\n"
        "    if len(finished) == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"write_shards(SynTone({options}), sys.argv[1], rows_per_shard=64, progress=progress)"
    )
    broken, unbroken = tmp_path / "broken", tmp_path / "whole"
    killed = subprocess.run([sys.executable, "-c", code, str(broken)], timeout=240)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(broken.glob("shard-*.npy"))) == 3
    data = SynTone("sound", num_freqs=40, num_amps=10)
    with pytest.raises(ValueError, match="not finished"):
        datasets.open_shards(broken)
    datasets.write_shards(data, broken, rows_per_shard=64)
    datasets.write_shards(data, unbroken, rows_per_shard=64)
    assert _tree(broken) == _tree(unbroken)


def test_a_full_disk_loses_nothing(tmp_path, small_sound, monkeypatch):
    data, folder = small_sound.source, tmp_path / "s"

    def full(descriptor):
        if "shard-00001" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(_files.os, "fsync", full)
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


def test_features_in_memory_are_float32_and_may_lie_in_any_order(tmp_path, small_sound):
    array = small_sound.features(slice(0, 64))
    with pytest.raises(TypeError, match="features takes float32, got float64"):
        datasets.InMemory(small_sound.source, array.astype(np.float64))
    turned = datasets.InMemory(small_sound.source, np.asfortranarray(array))
    folder = datasets.write_shards(turned, tmp_path / "s")
    assert (datasets.open_shards(folder).features(slice(0, 64)) == array).all()


def test_what_progress_raises_ends_the_run_and_the_next_goes_on(tmp_path, small_sound):
    calls = []

    def stop_at_the_second(rows):
        calls.append(rows)
        if len(calls) == 2:
            raise KeyboardInterrupt

    folder, before = tmp_path / "s", threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        datasets.write_shards(
            small_sound.source, folder, rows_per_shard=24, progress=stop_at_the_second
        )
    assert threading.active_count() <= before + 1  # the pool may stay, the thread ahead may not
    assert len(list(folder.glob("shard-*.npy"))) == 2
    rows = []
    datasets.write_shards(small_sound.source, folder, rows_per_shard=24, progress=rows.append)
    assert rows == [24, 24, 16]
    assert _tree(folder) == _tree(
        datasets.write_shards(small_sound.source, tmp_path / "t", rows_per_shard=24)
    )


def test_long_clips_are_made_a_few_at_a_time(monkeypatch):
    seen = []

    class Long(SynTone):
        def features(self, indices):
            seen.append(len(range(*indices.indices(len(self)))))
            return np.zeros((seen[-1], *self.feature_shape), np.float32)

    data = Long("sound", num_freqs=20, num_amps=5, duration=10.0)
    rows = sum(len(block) for block in _blocks(data, [(0, 0, 400)]))
    assert rows == 400
    assert max(seen) * 4 * np.prod(data.feature_shape) <= 2**23
