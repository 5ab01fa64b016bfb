"""The constant-Q module against the kernels, and what it shares with the other modules."""

import copy
import pickle

import numpy as np
import pytest
import torch

from fastdis import features, nn
from fastdis.features.constant_q import transform
from fastdis.nn import _tensors
from tests.torch_devices import on

SMALL = {"sr": 8000, "hop_length": 128, "fmin": 100.0, "n_bins": 60}

# samples, parameters: usual; a small and an odd hop; other filters; one frame; one sample; every
# way of padding; clips in several blocks.
TRANSFORMS = [
    (16000, {"sr": 16000, "n_bins": 60}),
    (2000, {"sr": 8000, "hop_length": 16, "fmin": 50.0, "n_bins": 76}),
    (2000, SMALL | {"hop_length": 77, "bins_per_octave": 7, "n_bins": 36, "tuning": 0.3}),
    (2000, SMALL | {"norm": 2, "scale": False, "window": "blackmanharris"}),
    (2000, SMALL | {"filter_scale": 0.5, "norm": None, "window": ("kaiser", 6.0)}),
    (300, {"sr": 8000, "fmin": 400.0, "n_bins": 20}),
    (1, {"sr": 8000, "fmin": 400.0, "n_bins": 20}),
    (5000, SMALL | {"pad_mode": "reflect"}),
    (5000, SMALL | {"pad_mode": "symmetric", "hop_length": 100}),
    (500, SMALL | {"pad_mode": "edge"}),
    (500, SMALL | {"pad_mode": "linear_ramp"}),
    (150000, {"sr": 16000, "n_bins": 24, "fmin": 200.0}),
    (150001, {"sr": 16000, "n_bins": 24, "fmin": 200.0, "pad_mode": "reflect", "hop_length": 333}),
]


@pytest.fixture
def small_chunks(monkeypatch):
    """Leaves room for a clip or two in a chunk."""
    monkeypatch.setattr(_tensors, "_CHUNK_BYTES", {})
    monkeypatch.setattr(_tensors, "_DEVICE_CHUNK_BYTES", 2**19)


@pytest.mark.parametrize(("samples", "options"), TRANSFORMS, ids=str)
def test_frames_are_those_of_the_kernels(rng, samples, options, device):
    y = rng.standard_normal((3, samples)).astype(np.float32)
    y[2] = 0
    expected = features.cqt(y, **options)
    found = nn.CQT(**options).to(device)(*on(device, y))
    assert found.dtype == torch.complex64
    assert found.is_contiguous()
    assert found.shape == expected.shape
    peak = np.abs(expected).max(axis=(1, 2), keepdims=True)
    assert (np.abs(found.cpu().numpy() - expected) <= 1e-6 * peak).all()


def test_defaults_are_those_of_the_function():
    shared = features.cqt.__kwdefaults__ | {}
    del shared["out"]
    assert nn.CQT.__init__.__kwdefaults__ == shared


def test_all_kinds_of_tensors_of_audio(rng, device):
    module = nn.CQT(**SMALL).to(device)
    (y,) = on(device, rng.standard_normal((6, 2000)))
    expected = module(y.float())
    bound = 1e-6 * float(expected.abs().max())
    for found, value in (
        (module(y), expected),  # float64
        (module(y.float().T.contiguous().T), expected),
        (module(y.float()[::2]), expected[::2]),
        (module(y[1]), expected[1]),
        (module(y.half()), module(y.half().float())),
    ):
        assert found.shape == value.shape
        assert (found - value).abs().max() <= bound
    assert module(y[:0]).shape == (0, 60, 16)


@pytest.mark.parametrize("pad_mode", ["constant", "reflect", "linear_ramp"])
def test_it_has_the_gradient_of_a_linear_map(rng, pad_mode, device):
    module = nn.CQT(**SMALL | {"pad_mode": pad_mode, "hop_length": 70}).to(device)
    y, direction = on(device, *rng.standard_normal((2, 2, 1000)).astype(np.float32))
    y.requires_grad_()
    frames = module(y)
    weight = torch.randn_like(frames)
    (frames * weight.conj()).real.sum().backward()
    expected = (module(direction) * weight.conj()).real.sum()
    assert abs((y.grad * direction).sum() - expected) <= 1e-5 * frames.abs().max() * weight.numel()
    assert torch.isclose((y.grad * direction).sum(), expected, rtol=1e-3)


def test_chunks_change_neither_result_nor_gradient(rng, device, request):
    module = nn.CQT(**SMALL).to(device)
    (y,) = on(device, rng.standard_normal((7, 2000)).astype(np.float32))

    def run():
        x = y.clone().requires_grad_()
        frames = module(x)
        frames.abs().square().sum().backward()
        return frames.detach(), x.grad

    whole, gradient = run()
    request.getfixturevalue("small_chunks")
    sizes = []
    frames = module._frames
    module._frames = lambda part, *more: sizes.append(len(part)) or frames(part, *more)
    for value, by_chunks in zip((whole, gradient, whole), (*run(), module(y)), strict=True):
        assert by_chunks.is_contiguous()
        assert (by_chunks - value).abs().max() <= 1e-6 * value.abs().max()
    assert len(sizes) > 3


def test_filters_are_kept_for_few_lengths(rng):
    module = nn.CQT(**SMALL)
    expected = {1000: module(torch.ones(1000))}
    (used_most,) = module._filters.values()
    for t in range(1100, 1900, 100):
        expected[t] = module(torch.ones(t))
        module(torch.ones(1000))
        assert any(filters is used_most for filters in module._filters.values())
    assert sorted(plan.samples for plan, _ in module._filters) == [1000, 1600, 1700, 1800]
    for t, frames in expected.items():
        assert torch.equal(module(torch.ones(t)), frames)
    for copied in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        assert len(copied._filters) == 0


def test_nan_in_is_nan_out_in_its_clip_alone(rng, device):
    (y,) = on(device, rng.standard_normal((2, 2000)).astype(np.float32))
    y[0, 7] = torch.nan
    frames = nn.CQT(**SMALL).to(device)(y)
    assert frames[0].isnan().all()
    assert frames[1].isfinite().all()


@pytest.mark.parametrize(
    "options",
    [{"sr": 0}, {"hop_length": 0}, {"hop_length": 1.5}, {"fmin": -1.0}, {"fmin": 9000.0},
     {"n_bins": 0}, {"n_bins": 1000}, {"bins_per_octave": 0}, {"tuning": np.nan},
     {"filter_scale": 0}, {"norm": -1}, {"window": "hanned"}, {"scale": 1}, {"pad_mode": "wrap"}],
    ids=str,
)  # fmt: skip
def test_parameters_are_checked_as_by_the_function(options):
    with pytest.raises((TypeError, ValueError)) as expected:
        features.cqt(np.zeros(16000), **options)
    with pytest.raises(expected.type) as found:
        nn.CQT(**options)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.zeros(4000, np.float32), TypeError, "y takes a tensor of floating-point audio"),
        (torch.zeros(4000, dtype=torch.int16), TypeError, "got a tensor .* dtype torch.int16"),
        (torch.zeros(1, 2, 4000), ValueError, r"y takes 1 or 2 dimension\(s\), got shape"),
        (torch.zeros(3, 0), ValueError, "y takes at least one sample per clip, got none"),
        (torch.zeros(3, 300), ValueError, "pad_mode='reflect' with filters of .* takes clips"),
        (torch.zeros(3, 4000, device="meta"), ValueError, "y takes a tensor on cpu, where this"),
    ],
)
def test_audio_that_is_none(y, error, message):
    with pytest.raises(error, match=message):
        nn.CQT(**SMALL, pad_mode="reflect")(y)


def test_blocks_of_long_clips_bound_the_filters():
    module = nn.CQT(sr=16000, n_bins=24, fmin=200.0)
    sizes = []
    for samples in (2 * transform._BLOCK, 8 * transform._BLOCK):
        module(torch.zeros(samples))
        sizes.append(max(filters.numel() for filters in module._filters.values()))
    assert sizes[0] == sizes[1]
