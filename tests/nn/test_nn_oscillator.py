"""The oscillator as a torch module: against the kernel, scipy and calculus, and misuse."""

import numpy as np
import pytest
import torch
from scipy import signal

from fastdis import nn, synthesis
from tests.torch_devices import on


def tones(rng, count=200):
    """Shape, frequency, amplitude, phase: frequencies of all kinds, jumps on samples."""
    frequency = rng.uniform(0, 8000, count)
    frequency[:16] = np.repeat([4000.0, 1000.0, 8000.0, 20.0], 4)
    phase = rng.uniform(-10, 10, count)
    phase[:32] = 0
    phase[-4:] = [1e8, -1e8, 1e8, -1e9]
    return np.arange(count) % 4, frequency, rng.uniform(0.1, 1, count), phase


@pytest.mark.parametrize("axis", ["sample", "linspace"])
def test_naive_waveforms_are_those_of_the_kernel(rng, axis, device):
    columns = tones(rng)
    *args, phase = columns
    expected = synthesis.oscillator(*args, phase=phase, time_axis=axis)
    found = nn.Oscillator(time_axis=axis).to(device)(*on(device, *columns))
    assert found.dtype == torch.float32
    assert np.abs(found.cpu().numpy() - expected).max() <= 1e-6


@pytest.mark.parametrize("phase", [1e9, -1e12, 3e15])
def test_naive_waveforms_of_enormous_phases_are_scipys(phase, device):
    x = 2 * np.pi * 1234.5 * np.arange(16000) / 16000 + phase
    expected = np.sin(x), signal.sawtooth(x, 0.5), signal.sawtooth(x), signal.square(x)
    found = nn.Oscillator().to(device)(synthesis.SHAPES, 1234.5, 1.0, phase).cpu().numpy()
    assert np.abs(found[1:] - expected[1:]).max() <= 1e-6
    # Sines are apart by what the last bit of pi, whose multiple is subtracted, makes of them.
    assert np.abs(found[0] - expected[0]).max() <= 1e-6 + 4e-17 * abs(phase)


@pytest.mark.parametrize("axis", ["sample", "linspace"])
def test_band_limited_waveforms_are_those_of_the_kernel(rng, axis, device):
    shape, frequency, amplitude, phase = tones(rng, 120)
    frequency[16:48] = np.repeat([0.01, 727.27, 700.0, 347.0, 350.0, 333.0, 2.0, 7999.9], 4)
    phase[-4:] = 1e8
    frequency[48:72] = np.repeat(8000 / np.array([61, 103, 121, 122, 201, 206]), 4)  # 8000 / f > k
    options = {"band_limited": True, "time_axis": axis}
    expected = synthesis.oscillator(shape, frequency, amplitude, phase=phase, **options)
    found = nn.Oscillator(**options).to(device)(*on(device, shape, frequency, amplitude, phase))
    assert np.abs(found.cpu().numpy() - expected).max() <= 6e-6


def slope(shape, frequency, phase, t, harmonics):
    """The derivative of a waveform of amplitude 1 by its phase, in float64."""
    x = 2 * np.pi * frequency * t + phase
    if shape == "sine":
        return np.cos(x)
    if harmonics is None:
        rising = (x / np.pi) % 2 < 1
        return (
            {"triangle": np.where(rising, 2, -2), "sawtooth": 1, "square": 0}[shape] / np.pi * x**0
        )
    h = np.arange(1, harmonics + 1, 1 if shape == "sawtooth" else 2)[:, None]
    if shape == "triangle":
        return (8 / np.pi**2 / h * np.sin(h * x)).sum(axis=0)
    return ((-2 if shape == "sawtooth" else 4) / np.pi * np.cos(h * x)).sum(axis=0)


@pytest.mark.parametrize("frequency", [150.0, 2100.0])
@pytest.mark.parametrize("band_limited", [False, True])
@pytest.mark.parametrize("shape", synthesis.SHAPES)
def test_oscillators_have_their_gradient(rng, shape, band_limited, frequency, device):
    if not band_limited:
        frequency += 1.3  # no sample on a triangle's corner, which has no slope
    module = nn.Oscillator(duration=0.05, band_limited=band_limited).to(device)
    values = torch.tensor([[frequency, 0.7, 0.0], [frequency, 0.7, 0.4]], dtype=torch.float64)
    columns = [column.to(device).requires_grad_() for column in values.T]
    audio = module(shape, *columns)
    weight = rng.uniform(-1, 1, audio.shape)
    (audio * on(device, weight)[0]).sum().backward()
    t = module.t.cpu().numpy()
    harmonics = int(np.ceil(8000 / frequency)) - 1 if band_limited else None
    slopes = np.stack([0.7 * slope(shape, frequency, phase, t, harmonics) for phase in (0, 0.4)])
    expected = [
        (weight * slopes * 2 * np.pi * t).sum(axis=1),
        (weight * audio.detach().cpu().numpy() / 0.7).sum(axis=1),
        (weight * slopes).sum(axis=1),
    ]
    for column, gradient in zip(columns, expected, strict=True):
        size = np.abs(gradient).max() + 1e-3
        assert np.abs(column.grad.cpu().numpy() - gradient).max() <= 1e-4 * size


@pytest.mark.parametrize("band_limited", [False, True])
def test_a_frequency_of_zero_is_no_fault(band_limited, device):
    module = nn.Oscillator(band_limited=band_limited, duration=0.01).to(device)
    zero = torch.zeros(4, device=device, requires_grad=True)
    audio = module(synthesis.SHAPES, zero, 1.0, 0.3)
    audio.sum().backward()
    assert (audio == audio[:, :1]).all()
    assert zero.grad.isfinite().all()


def test_columns_of_all_kinds(device):
    module = nn.Oscillator(duration=0.01).to(device)
    expected = synthesis.oscillator(["sine", "square"], [440.0, 441.0], 0.5, duration=0.01)
    assert module("sine", 440).shape == (1, 160)
    for shape in (["sine", "square"], np.array([0, 3]), torch.tensor([0, 3])):
        for frequency in ([440, 441], np.array([440.0, 441.0]), torch.tensor([440, 441])):
            for amplitude in (0.5, torch.tensor(0.5), torch.tensor([0.5], device=device)):
                found = module(shape, frequency, amplitude)
                assert found.device.type == device
                assert np.abs(found.cpu().numpy() - expected).max() <= 1e-6
    assert module([], []).shape == (0, 160)


@pytest.mark.parametrize("band_limited", [False, True])
def test_a_column_that_is_no_number_spoils_its_clip_alone(band_limited, device):
    shape, frequency = torch.arange(-1, 7) % 5, torch.full((8,), 500.0)  # -1 % 5 is no shape
    frequency[4], frequency[6] = torch.nan, torch.inf
    module = nn.Oscillator(band_limited=band_limited).to(device)
    bad = module(shape, frequency).isnan()
    spoilt = torch.tensor([True, False, False, False, True, True, True, False])
    assert (bad == spoilt[:, None].to(device)).all()


@pytest.mark.parametrize(
    "options",
    [{"sample_rate": 0}, {"sample_rate": "16k"}, {"duration": 0}, {"duration": 1e-9},
     {"band_limited": 1}, {"time_axis": "samples"}],
    ids=str,
)  # fmt: skip
def test_options_are_checked_as_by_oscillator(options):
    with pytest.raises((TypeError, ValueError)) as expected:
        synthesis.oscillator("sine", 440, **options)
    with pytest.raises(expected.type) as found:
        nn.Oscillator(**options)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize(
    "columns",
    [("sin", 440), (4, 440), (0.5, 440), ("sine", 8001), ("sine", -1), ("sine", [np.nan]),
     ("sine", "440"), ("sine", 440, 1.5), ("sine", [440, 441, 442], [0.1, 0.2]),
     ("sine", 440, 1.0, np.inf)],
    ids=str,
)  # fmt: skip
def test_columns_are_checked_as_by_oscillator(columns):
    with pytest.raises((TypeError, ValueError)) as expected:
        synthesis.oscillator(*columns[:3], **dict(zip(["phase"], columns[3:], strict=False)))
    with pytest.raises(expected.type) as found:
        nn.Oscillator()(*columns)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        ((torch.tensor([0.0]), 440), TypeError, "shape takes integers where it is a tensor, got a"),
        (("sine", torch.tensor([1j])), TypeError, "frequency takes real numbers, got a tensor"),
        (("sine", torch.ones(2, 2)), ValueError, "frequency takes 0 or 1 dimension"),
        (("sine", torch.ones(3), torch.ones(2)), ValueError, "shape, frequency, amplitude and"),
        (("sine", torch.ones(3, device="meta")), ValueError, "frequency takes a tensor on cpu"),
    ],
)
def test_tensors_that_are_no_columns(columns, error, message):
    with pytest.raises(error, match=message):
        nn.Oscillator()(*columns)
