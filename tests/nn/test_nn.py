"""STFT and mel as torch modules against the kernels; what all modules have in common."""

import copy
import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch

from fastdis import features, nn, synthesis
from fastdis.nn import _tensors
from tests.ids import text_of
from tests.torch_devices import on

pytestmark = pytest.mark.filterwarnings("ignore:.*mel filters hold no")


@pytest.fixture
def small_chunks(monkeypatch):
    """Leaves room for a clip or two in a chunk."""
    monkeypatch.setattr(_tensors, "_CHUNK_BYTES", {})
    monkeypatch.setattr(_tensors, "_DEVICE_CHUNK_BYTES", 2**18)


# --- STFT and mel ---------------------------------------------------------------------------------

# samples, framing: usual; odd lengths; gaps between frames; a short window; one frame; a clip
# shorter than a frame; one sample; every way of padding.
FRAMINGS = [
    (16000, {}),
    (8000, {"n_fft": 511, "hop_length": 100, "win_length": 400}),
    (8000, {"n_fft": 512, "hop_length": 700, "window": "hamming"}),
    (3000, {"n_fft": 512, "hop_length": 31, "window": ("kaiser", 8.0)}),
    (400, {"n_fft": 400, "hop_length": 100, "center": False}),
    (700, {}),
    (1, {"n_fft": 63, "hop_length": 16}),
    (257, {"n_fft": 512, "hop_length": 128, "pad_mode": "reflect"}),
    (3001, {"n_fft": 511, "hop_length": 200, "pad_mode": "edge", "window": np.arange(1.0, 512.0)}),
    (3000, {"n_fft": 513, "hop_length": 128, "pad_mode": "linear_ramp", "window": np.bartlett}),
    (256, {"n_fft": 512, "hop_length": 128, "pad_mode": "symmetric"}),
]


@pytest.fixture(params=FRAMINGS, ids=text_of)
def framed(request, rng):
    samples, options = request.param
    noise = rng.standard_normal((3, samples)).astype(np.float32)
    noise[1] *= np.hanning(samples + 2)[1:-1] ** 8  # from loud to very quiet
    noise[2] = 0
    return noise, options


def test_stft_is_that_of_the_kernels(framed, device):
    y, options = framed
    expected = features.stft(y, **options)
    found = nn.STFT(**options).to(device)(*on(device, y))
    assert found.dtype == torch.complex64
    assert found.is_contiguous()
    assert found.shape == expected.shape
    peak = np.abs(expected).max(axis=(1, 2), keepdims=True)
    assert (np.abs(found.cpu().numpy() - expected) <= 1e-6 * peak).all()


@pytest.mark.parametrize(
    "mel",
    [{}, {"htk": True, "norm": None, "power": 1.0}, {"fmin": 60.0, "fmax": 5000.0, "n_mels": 40},
     {"norm": 2, "n_mels": 20, "power": 1.5}],
    ids=str,
)  # fmt: skip
def test_mels_are_those_of_the_kernels(framed, mel, device):
    y, options = framed
    expected = features.melspectrogram(y, sr=16000, **options, **mel)
    found = nn.MelSpectrogram(sr=16000, **options, **mel).to(device)(*on(device, y))
    assert found.dtype == torch.float32
    assert found.is_contiguous()
    assert found.shape == expected.shape
    error = np.abs(found.cpu().numpy() - expected)
    told_apart = expected > 1e-6 * expected.max(axis=(1, 2), keepdims=True)
    assert (error[told_apart] / expected[told_apart]).max(initial=0) <= 1e-4
    assert (error <= 2e-6 * expected.max(axis=(1, 2), keepdims=True)).all()


def test_defaults_are_those_of_the_functions():
    for module, function in (
        (nn.STFT, features.stft),
        (nn.MelSpectrogram, features.melspectrogram),
        (nn.Oscillator, synthesis.oscillator),
        (nn.Additive, synthesis.additive),
    ):
        defaults = function.__kwdefaults__
        shared = {name: defaults[name] for name in module.__init__.__kwdefaults__}
        assert module.__init__.__kwdefaults__ == shared


@pytest.mark.parametrize("make", [nn.STFT, nn.MelSpectrogram])
def test_all_kinds_of_tensors_of_audio(make, rng, device):
    module = (
        make(n_fft=256, hop_length=100, sr=8000) if make is nn.MelSpectrogram else make(n_fft=256)
    )
    module.to(device)
    (y,) = on(device, rng.standard_normal((6, 2000)))
    expected = module(y.float())
    close = partial(torch.allclose, rtol=1e-6, atol=1e-6 * float(expected.abs().max()))
    assert close(module(y), expected)  # float64
    assert close(module(y.float().T.contiguous().T), expected)
    assert close(module(y.float()[::2]), expected[::2])
    assert close(module(y[1]), expected[1])
    assert close(module(y.half()), module(y.half().float()))
    assert module(y[:0]).shape == (0, *expected.shape[1:])


def test_a_read_only_array_as_a_tensor(rng):
    y = rng.standard_normal(2000).astype(np.float32)
    y.setflags(write=False)
    with pytest.warns(UserWarning, match="not writable"):
        tensor = torch.from_numpy(y)
    assert torch.equal(nn.STFT()(tensor), nn.STFT()(tensor.clone()))


def test_stft_has_the_gradient_of_a_linear_map(rng, device):
    module = nn.STFT(n_fft=255, hop_length=70, pad_mode="reflect").to(device)
    y, direction = on(device, *rng.standard_normal((2, 2, 1000)).astype(np.float32))
    y.requires_grad_()
    spectra = module(y)
    weight = torch.randn_like(spectra)
    (spectra * weight.conj()).real.sum().backward()
    assert torch.isclose(
        (y.grad * direction).sum(), (module(direction) * weight.conj()).real.sum(), rtol=1e-4
    )


@pytest.mark.parametrize("power", [2.0, 1.0, 0.5])
def test_mels_have_their_gradient(rng, power, device):
    y, direction = rng.standard_normal((2, 2, 3000)).astype(np.float32)
    options = {"n_fft": 256, "hop_length": 100}
    module = nn.MelSpectrogram(sr=8000, n_mels=20, power=power, **options).to(device)
    (at,) = on(device, y)
    at.requires_grad_()
    mels = module(at)
    weight = rng.uniform(0, 1, mels.shape)
    (mels * on(device, weight)[0]).sum().backward()
    x, dx = (features.stft(z, **options).astype(np.complex128) for z in (y, direction))
    slopes = power * np.abs(x) ** (power - 2) * (x.conj() * dx).real
    terms = weight * (features.mel_filters(sr=8000, n_fft=256, n_mels=20) @ slopes)
    found = (at.grad.cpu().numpy() * direction).sum()
    assert abs(found - terms.sum()) <= 1e-6 * np.abs(terms).sum()


@pytest.mark.parametrize("power", [2.0, 1.0, 0.5])
def test_silence_has_a_gradient_of_zero(power, device):
    y = torch.zeros(2, 4000, device=device)
    y[1, :2000] = 1  # and then frames of silence
    y.requires_grad_()
    nn.MelSpectrogram(sr=8000, n_fft=256, power=power).to(device)(y).sum().backward()
    assert torch.isfinite(y.grad).all()
    assert (y.grad[0] == 0).all()


def test_nan_in_is_nan_out_in_its_clip_alone(rng, device):
    (y,) = on(device, rng.standard_normal((2, 4000)).astype(np.float32))
    y[0, 7] = torch.nan
    for power in (1.0, 2.0):
        mels = nn.MelSpectrogram(sr=8000, n_fft=256, power=power).to(device)(y)
        assert mels[0, :, 0].isnan().all()
        assert mels[1].isfinite().all()


@pytest.mark.parametrize(
    "options",
    [{"n_fft": 1}, {"n_fft": 512.0}, {"hop_length": 0}, {"win_length": 4096}, {"window": "hanned"},
     {"window": np.ones(5)}, {"center": 1}, {"pad_mode": "wrap"}],
    ids=str,
)  # fmt: skip
def test_framing_is_checked_as_by_the_functions(options):
    for module, function in (
        (nn.STFT, features.stft),
        (nn.MelSpectrogram, features.melspectrogram),
    ):
        with pytest.raises((TypeError, ValueError)) as expected:
            function(np.zeros(16000), **options)
        with pytest.raises(expected.type) as found:
            module(**options)
        assert str(found.value) == str(expected.value)


@pytest.mark.parametrize(
    "options",
    [{"power": 0}, {"sr": -1}, {"n_mels": 0}, {"fmin": 9000}, {"fmax": 1e6}, {"htk": "yes"},
     {"norm": "slany"}],
    ids=str,
)  # fmt: skip
def test_filters_are_checked_as_by_the_function(options):
    options = {"sr": 16000} | options
    with pytest.raises((TypeError, ValueError)) as expected:
        features.melspectrogram(np.zeros(16000), **options)
    with pytest.raises(expected.type) as found:
        nn.MelSpectrogram(**options)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.zeros(4000, np.float32), TypeError, "y takes a tensor of floating-point audio"),
        (torch.zeros(4000, dtype=torch.int16), TypeError, "got a tensor .* dtype torch.int16"),
        (torch.zeros(4000, dtype=torch.complex64), TypeError, "y takes a tensor of floating"),
        (torch.zeros(1, 2, 4000), ValueError, r"y takes 1 or 2 dimension\(s\), got shape"),
        (torch.zeros(()), ValueError, r"y takes 1 or 2 dimension\(s\), got shape"),
        (torch.zeros(3, 0), ValueError, "y takes at least one sample per clip, got none"),
        (torch.zeros(3, 1024), ValueError, "pad_mode='reflect' with n_fft=2048 takes clips"),
        (torch.zeros(3, 4000, device="meta"), ValueError, "y takes a tensor on cpu, where this"),
    ],
)
def test_audio_that_is_none(y, error, message):
    for module in (nn.STFT(pad_mode="reflect"), nn.MelSpectrogram(pad_mode="reflect")):
        with pytest.raises(error, match=message):
            module(y)


# --- all of them ----------------------------------------------------------------------------------


def every_module(device="cpu"):
    """Each module on the device, with arguments whose first tensor may ask for a gradient."""
    generator = torch.Generator().manual_seed(0)
    y = torch.randn(7, 4000, generator=generator).to(device)
    frequency = torch.linspace(100, 3000, 7, dtype=torch.float64).to(device)
    partials = torch.rand(7, 5, generator=generator, dtype=torch.float64).to(device) * 3000
    shape = np.arange(7) % 4
    made = (
        (nn.STFT(n_fft=512), lambda m, x: m(x), y),
        (nn.MelSpectrogram(sr=8000, n_fft=512, power=1.0), lambda m, x: m(x), y),
        (nn.CQT(sr=8000, fmin=100.0, n_bins=60), lambda m, x: m(x), y),
        (nn.Oscillator(duration=0.2), lambda m, x: m(shape, x), frequency),
        (nn.Oscillator(duration=0.2, band_limited=True), lambda m, x: m(shape, x), frequency),
        (nn.Additive(duration=0.5), lambda m, x: m((x, 0.2, 3.0, 1.0)), partials),
        (nn.Noise(3), lambda m, x: m(x, 10.0), y),
    )
    return [(module.to(device), call, x) for module, call, x in made]


def call_with_gradient(call, module, x):
    """The result, and the gradient of the sum of its squares."""
    x = x.clone().requires_grad_()
    result = call(module, x)
    result.abs().square().sum().backward()
    return result.detach(), x.grad


def test_chunks_change_neither_result_nor_gradient(device, request):
    expected = [call_with_gradient(call, module, x) for module, call, x in every_module(device)]
    request.getfixturevalue("small_chunks")
    for (module, call, x), (whole, gradient) in zip(every_module(device), expected, strict=True):
        found, its_gradient = call_with_gradient(call, module, x)
        for value, by_chunks in (
            (whole, found),
            (gradient, its_gradient),
            (whole, call(module, x)),
        ):
            assert by_chunks.is_contiguous()
            assert (by_chunks - value).abs().max() <= 1e-6 * value.abs().max(), module


def test_temporaries_stay_within_their_chunk(monkeypatch):
    seen = []
    monkeypatch.setattr(_tensors, "_CHUNK_BYTES", {"cpu": 2**21})
    module = nn.MelSpectrogram(sr=16000)
    mels = module._mels
    monkeypatch.setattr(module, "_mels", lambda y: seen.append(len(y)) or mels(y))
    module(torch.zeros(9, 16000))
    assert seen == [2, 2, 2, 2, 1]  # 0.8 MB a clip


def test_modules_hold_no_state_and_travel(device):
    for module, call, x in every_module(device):
        expected = call(module, x)
        assert module.state_dict() == {}
        assert list(module.parameters()) == []
        for copied in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
            assert torch.equal(call(copied, x), expected)
        for cast in (torch.float16, torch.bfloat16, torch.float64):
            assert torch.equal(call(module.to(cast), x), expected), cast
        assert torch.equal(call(torch.nn.Sequential(module).half()[0], x), expected)
        assert type(module).__name__ in repr(module)


def test_autocast_and_tf32_change_nothing(device):
    expected = [call(module, x) for module, call, x in every_module(device)]
    with torch.autocast(device, torch.bfloat16):
        found = [call(module, x) for module, call, x in every_module(device)]
    assert all(map(torch.equal, found, expected))
    newer = hasattr(torch.backends.cuda.matmul, "fp32_precision")  # the switch since torch 2.9
    try:
        torch.set_float32_matmul_precision("medium")
        found = [call(module, x) for module, call, x in every_module(device)]
        a, b = torch.rand(2, 200, 200, device=device)
        assert torch.equal(_tensors.product(a, b), (a.double() @ b.double()).float())
        torch.set_float32_matmul_precision("highest")
        if newer:
            torch.backends.cuda.matmul.fp32_precision = "tf32"
            assert torch.equal(_tensors.product(a, b), (a.double() @ b.double()).float())
        assert not torch.equal(a @ b, (a.double() @ b.double()).float())  # they differ
    finally:
        if newer:
            torch.backends.cuda.matmul.fp32_precision = "ieee"
        torch.set_float32_matmul_precision("highest")
    for (module, _, _), value, exact in zip(every_module(device), found, expected, strict=True):
        within = 1e-6 if isinstance(module, nn.CQT) else 2e-6
        assert value.dtype == exact.dtype
        assert (value - exact).abs().max() <= within * exact.abs().max(), module


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_nothing_waits_for_the_device():
    made = every_module("cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        for module, call, x in made:
            call(module, x.requires_grad_()).abs().sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_torch_and_numpy_are_all_they_need():
    code = """
import sys
for name in ("pyfftw", "scipy", "numba", "matplotlib", "pyarrow", "sklearn", "safetensors"):
    sys.modules[name] = None
for name in ("_oscillator", "_spectral", "_frames", "_additive", "_noise", "_constant_q"):
    sys.modules["fastdis._kernels." + name] = None
import torch
import fastdis
nn = fastdis.nn
y = nn.Oscillator()(["sine", "square"], [440.0, 220.0])
y = nn.Noise(0)(y + nn.Additive()((torch.full((2, 3), 100.0), 0.1, 0.0, 0.0)), 10.0)
print(tuple(nn.MelSpectrogram(sr=16000)(y).shape), tuple(nn.STFT()(y).shape))
print(tuple(nn.CQT(sr=16000, n_bins=60)(y).shape))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["(2, 128, 32) (2, 1025, 32)", "(2, 60, 32)"]
