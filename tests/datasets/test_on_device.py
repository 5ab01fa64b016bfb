"""Features in a device's memory: the same features, taken without the host, or a clear refusal."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from fastdis import TrainConfig, _memory, datasets, models, objectives, train
from fastdis.datasets import OnDevice, SynTone, on_device, syntone

# Over the whole default sets, 32,000 clips each, the largest differences on a CPU are 2.3e-6 as
# published, relative to each column's maximum, and 2e-5 if sound, near the floor of 80 dB.
TOLERANCE = {"published": 1e-5, "sound": 1e-4}


@pytest.fixture
def no_kernels(monkeypatch):
    """No sound may come from the host."""

    def refused(self, indices):
        raise AssertionError("rendered on the host")

    monkeypatch.setattr(SynTone, "audio", refused)


@pytest.mark.parametrize("variant", ["published", "sound"])
def test_syntone_made_on_the_device_is_that_of_the_kernels(variant, device, monkeypatch, request):
    data = SynTone(variant, num_freqs=40, num_amps=5)
    expected = data.features(slice(None))
    request.getfixturevalue("no_kernels")
    monkeypatch.setattr(syntone, "_PIECE", {device: 4 * 16000 * 300})  # 800 clips in three pieces
    found = data.on_device(device)
    assert found.tensor.device.type == device
    assert found.tensor.dtype == torch.float32
    assert found.tensor.shape == (800, 1, 128, 32)
    difference = np.abs(found.tensor.cpu().numpy() - expected)
    assert difference.max() <= TOLERANCE[variant]
    assert difference.mean() <= 1e-7


@pytest.mark.parametrize(
    "options",
    [
        {"freq_start": 0.0, "freq_end": 2.0, "amp_start": 0.0},  # a sine at 0 Hz; silence
        {"freq_start": 7998.0, "freq_end": 7999.5},  # a sine that is sampled at its zeros
        {"freq_start": 1999.0, "freq_end": 2000.0, "sample_rate": 4000, "duration": 0.13},
    ],
)
def test_published_columns_of_nothing_but_rounding(options, device):
    data = SynTone("published", num_freqs=5, num_amps=2, **options)
    found = data.on_device(device).tensor.cpu().numpy()
    assert np.isfinite(found).all()
    assert np.abs(found - data.features(slice(None))).max() <= 1e-5


def test_a_louder_floor_and_a_quiet_clip_if_sound(device):
    """Down to 80 dB below the most that any clip can reach, and nothing below."""
    data = SynTone("sound", num_freqs=5, num_amps=3, amp_start=0.0, amp_end=0.01, duration=0.5)
    found = data.on_device(device).tensor.cpu().numpy()
    expected = data.features(slice(None))
    assert np.abs(found - expected).max() <= 1e-4
    assert (found[data.table()["amplitude"] == 0] == 0).all()
    assert 0 < expected.max() < 0.6


def test_a_subclass_is_not_taken_for_syntone(device):
    class Halved(SynTone):
        def features_of(self, audio):
            return super().features_of(audio) / 2

    data = Halved("sound", num_freqs=2, num_amps=2)
    assert np.array_equal(data.on_device(device).features(slice(None)), data.features(slice(None)))


@pytest.mark.parametrize("kind", ["in memory", "shards", "npz", "read-only", "backwards"])
def test_other_sets_are_copied_bit_for_bit(kind, small_sound, tmp_path, device, monkeypatch):
    monkeypatch.setattr(on_device, "_COPIED", 4 * 128 * 32 * 7)  # 64 clips in ten pieces
    data = small_sound
    if kind == "shards":
        data = datasets.open_shards(datasets.write_shards(data, tmp_path, rows_per_shard=10))
    elif kind == "npz":
        data = datasets.load_npz(datasets.save_npz(data, tmp_path / "a.npz"), variant="sound")
    elif kind != "in memory":
        array = data.array.copy() if kind == "read-only" else data.array[::-1]
        array.setflags(write=kind != "read-only")
        data = datasets.InMemory(data.source, array)
    found = data.on_device(device)
    expected = data.features(slice(None))
    assert np.array_equal(found.tensor.cpu().numpy(), expected)
    assert np.array_equal(found.features([3, 60, 3]), expected[[3, 60, 3]])
    assert found.features([]).shape == (0, 1, 128, 32)


def test_it_is_a_data_set_of_its_own_memory(small_sound, device):
    found = small_sound.on_device(device)
    assert isinstance(found, OnDevice)
    assert (len(found), found.space, found.options()) == (
        64, small_sound.space, small_sound.options(),
    )  # fmt: skip
    assert found.table([5]) == small_sound.table([5])
    assert np.array_equal(found.audio([5]), small_sound.audio([5]))
    before = small_sound.array.copy()
    found.tensor.zero_()
    assert np.array_equal(small_sound.array, before)
    assert found.on_device(device) is found


def test_taking_clips(small_sound, device):
    found = small_sound.on_device(device)
    rows = torch.tensor([7, 0, 7], device=device)
    x = found.take(rows)
    assert torch.equal(x.cpu(), torch.from_numpy(small_sound.array[[7, 0, 7]]))
    weight = torch.ones(1, device=device, requires_grad=True)
    (x * weight).sum().backward()  # a gradient flows through what was made on the device
    assert weight.grad == pytest.approx(float(small_sound.array[[7, 0, 7]].sum()), rel=1e-4)
    with pytest.raises(TypeError, match=r"rows takes a tensor of int64 of shape \(B,\), got \[1\]"):
        found.take([1])
    for bad in (rows.int(), rows[None], rows.float()):
        with pytest.raises(TypeError, match=r"rows takes a tensor of int64 .* got shape"):
            found.take(bad)
    with pytest.raises(ValueError, match=r"where the features are, got one on meta"):
        found.take(rows.to("meta"))


def test_what_syntone_made_carries_a_gradient(device):
    x = SynTone("published", num_freqs=1, num_amps=1).on_device(device).take
    weight = torch.ones(1, device=device, requires_grad=True)
    (x(torch.tensor([1, 2], device=device)) * weight).sum().backward()
    assert weight.grad > 0


def test_training_takes_its_batches_from_it(small_sound):
    config = TrainConfig(
        epochs=1, batch_size=16, progress=False, compile="never", memory_format="contiguous",
        dtype="float32",
    )  # fmt: skip
    weights = []
    for data in (small_sound, small_sound.on_device("cpu")):
        model = models.build("conv3", 4, data.feature_shape, channels=(8,), hidden=(16,), seed=0)
        result = train(model, objectives.build("vae", protocol="sound"), data, config)
        weights.append(result.model.state_dict())
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())


def test_no_room_on_the_host(small_sound, monkeypatch):
    monkeypatch.setattr(_memory, "_ALWAYS_THERE", 0)
    monkeypatch.setattr(_memory, "available", lambda: 1e6)
    with pytest.raises(MemoryError, match=r"on_device takes 0\.0 GB .*, got 0\.0 GB; train from"):
        small_sound.on_device("cpu")


@pytest.fixture
def gpu_with(monkeypatch):
    """A stand-in for a GPU with so many bytes free, of which torch keeps some."""

    def prepare(free, kept, used):
        memory = {"device_count": 1, "current_device": 0, "memory_reserved": kept}
        memory |= {"memory_allocated": used, "mem_get_info": (free, 10**12)}
        for name, value in memory.items():
            monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)

    return prepare


def test_no_room_on_a_gpu(small_sound, gpu_with):
    """An eighth of what is free stays free; what torch keeps and does not use is free."""
    gpu_with(10**9, 5 * 10**9, 10**9)  # 5 GB
    place = torch.device("cuda", 0)
    on_device._require(place, 43 * 10**8)
    with pytest.raises(MemoryError, match=r"4\.4 GB of memory on cuda:0 .* 12\.5% .*got 5\.0 GB"):
        on_device._require(place, 44 * 10**8)
    gpu_with(1000, 0, 0)
    with pytest.raises(MemoryError, match="on_device takes"):
        small_sound.on_device("cuda")


def test_room_that_runs_out_on_the_way(small_sound, monkeypatch):
    def full(self, tensor):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(datasets.InMemory, "_fill", full)
    with pytest.raises(MemoryError, match="some to work in"):
        small_sound.on_device("cpu")


def test_devices_that_are_none(small_sound):
    for device, error, message in (
        ("meta", ValueError, "device takes 'cpu', 'cuda' or 'cuda:N', got 'meta'"),
        ("gpu", ValueError, "device takes 'cpu', 'cuda' or 'cuda:N', got 'gpu'"),
        (0, TypeError, "device takes 'cpu', 'cuda' or 'cuda:N', got 0"),
        ("cuda:99", RuntimeError, "'cuda:99' was asked for; there are"),
    ):
        with pytest.raises(error, match=message):
            small_sound.on_device(device)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_taking_from_a_gpu_does_not_wait(small_sound):
    found = small_sound.on_device("cuda")
    assert found.on_device("cuda:0").tensor is found.tensor
    back = found.on_device("cpu")
    assert np.array_equal(back.tensor.numpy(), small_sound.array)
    assert back.source is small_sound
    rows = torch.arange(3, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        found.take(rows)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    with pytest.raises(ValueError, match="got one on cpu"):
        found.take(rows.cpu())


def test_data_sets_need_no_torch_for_anything_else():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from fastdis.datasets import Pairs, SynTone\n"
        "data = SynTone('sound', num_freqs=2, num_amps=2)\n"
        "data.in_memory(); Pairs(data).partners([0], 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240)
