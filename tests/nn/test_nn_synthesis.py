"""Additive synthesis and noise as torch modules: against the kernels and calculus, and misuse."""

import numpy as np
import pytest
import torch

from fastdis import nn, synthesis
from fastdis.nn.noise import philox
from tests.torch_devices import on

# --- additive -------------------------------------------------------------------------------------


def random_partials(rng, clips=5, count=40):
    """Frequency, amplitude, decay and phase ``(clips, count)``; some partials above 8 kHz."""
    return (
        rng.uniform(20, 8400, (clips, count)),
        rng.uniform(0, 1 / count, (clips, count)),
        rng.uniform(0, 40, (clips, count)),
        rng.uniform(-9, 9, (clips, count)),
    )


@pytest.mark.parametrize("samples", [16000, 257, 17, 1])
def test_sums_of_partials_are_those_of_the_kernel(rng, samples, device):
    partials = synthesis.Partials(*random_partials(rng))
    duration = samples / 16000
    expected = synthesis.additive(partials, duration=duration)
    module = nn.Additive(duration=duration).to(device)
    found = module(on(device, *partials))
    assert found.dtype == torch.float32
    assert found.shape == (5, samples)
    assert np.abs(found.cpu().numpy() - expected).max() <= 1e-6
    assert torch.equal(module(partials), found)  # arrays


def test_partials_may_be_stacked_in_one_array_or_tensor(rng, device):
    partials = np.stack(random_partials(rng))
    module = nn.Additive(duration=0.05).to(device)
    found = module(partials)
    assert torch.equal(found, module(synthesis.Partials(*partials)))
    assert np.abs(found.cpu().numpy() - synthesis.additive(partials, duration=0.05)).max() <= 1e-6
    (stacked,) = on(device, partials)
    assert torch.equal(module(stacked.requires_grad_()), found)
    module(stacked).sum().backward()
    assert (stacked.grad[1] != 0).any()


def test_a_long_clip_keeps_its_phase(device):
    n = 16000 * 600
    found = nn.Additive(duration=600).to(device)(([[7123.4567]], 1.0, 0.0, 0.0))
    t = np.arange(n - 1000, n) / 16000
    assert np.abs(found[0, -1000:].cpu().numpy() - np.sin(2 * np.pi * 7123.4567 * t)).max() <= 1e-6


def test_partials_from_nyquist_on_are_silent(device):
    frequency = [[7999.9, 8000.0, 8000.1, 20000.0]]
    found = nn.Additive().to(device)((frequency, [[0.0, 1.0, 1.0, 1.0]], 0.0, 1.0))
    assert (found == 0).all()


def test_additive_has_its_gradient(rng, device):
    module = nn.Additive(duration=0.02).to(device)
    arrays = random_partials(rng, 2, 3)
    parts = [part.requires_grad_() for part in on(device, *arrays)]
    audio = module(parts)
    weight = rng.uniform(-1, 1, audio.shape)
    (audio * on(device, weight)[0]).sum().backward()
    t = np.arange(320) / 16000
    frequency, amplitude, decay, phase = (array[..., None] for array in arrays)
    envelope = np.exp(-decay * t) * (frequency < 8000)
    x = 2 * np.pi * frequency * t + phase
    slopes = (
        amplitude * envelope * np.cos(x) * 2 * np.pi * t,
        envelope * np.sin(x),
        -t * amplitude * envelope * np.sin(x),
        amplitude * envelope * np.cos(x),
    )
    for part, by_part in zip(parts, slopes, strict=True):
        expected = (weight[:, None] * by_part).sum(axis=-1)
        assert np.abs(part.grad.cpu().numpy() - expected).max() <= 1e-5 * np.abs(expected).max()


def test_partials_that_are_no_number_spoil_their_clip_alone(rng, device):
    for i in range(4):
        parts = on(device, *random_partials(rng, 2, 3))
        parts[i][0, 1] = torch.nan
        found = nn.Additive(duration=0.02).to(device)(parts)
        assert found[0].isnan().all()
        assert found[1].isfinite().all()


def test_no_partials_and_no_clips(device):
    module = nn.Additive(duration=0.01).to(device)
    assert (module((torch.zeros(2, 0), 1.0, 0.0, 0.0)) == 0).all()
    assert module((torch.zeros(0, 3), 1.0, 0.0, 0.0)).shape == (0, 160)
    assert module((440.0, 1.0, 0.0, 0.0)).shape == (1, 160)


@pytest.mark.parametrize(
    "partials",
    [(440.0, 1.0, 0.0), 440.0, np.ones((3, 1, 1)), np.ones((4, 1)),
     ([440.0], 1.0, 0.0, 0.0), ([[1.0, 2.0]], [[1.0]], 0.0, 0.0),
     ([[-1.0]], 1.0, 0.0, 0.0), ([[1.0]], 1e31, 0.0, 0.0), ([[1.0]], 1.0, [[np.nan]], 0.0),
     ([[1.0]], 1.0, -1.0, 0.0), ([[1.0]], 1.0, 0.0, np.inf), ([["1"]], 1.0, 0.0, 0.0)],
    ids=str,
)  # fmt: skip
def test_partials_are_checked_as_by_additive(partials):
    with pytest.raises((TypeError, ValueError)) as expected:
        synthesis.additive(partials)
    with pytest.raises(expected.type) as found:
        nn.Additive()(partials)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize(
    ("frequency", "error", "message"),
    [
        (torch.ones(3), ValueError, "frequency takes 0 or 2 dimension"),
        (torch.ones(2, 2), ValueError, "and phase take one value or one shape"),
        (torch.ones(2, 3) * 1j, TypeError, "frequency takes real numbers, got a tensor of shape"),
        (torch.ones(2, 3, device="meta"), ValueError, "frequency takes a tensor on cpu"),
    ],
)
def test_tensors_that_are_no_partials(frequency, error, message):
    with pytest.raises(error, match=message):
        nn.Additive()((frequency, torch.ones(2, 3), 0.0, 0.0))


@pytest.mark.parametrize(
    "options", [{"sample_rate": 0}, {"duration": 0}, {"duration": 1e-9}], ids=str
)
def test_options_are_checked_as_by_additive(options):
    with pytest.raises(ValueError) as expected:  # noqa: PT011
        synthesis.additive((440.0, 1.0, 0.0, 0.0), **options)
    with pytest.raises(ValueError) as found:  # noqa: PT011
        nn.Additive(**options)
    assert str(found.value) == str(expected.value)


# --- noise ----------------------------------------------------------------------------------------


def test_the_words_are_philoxs():
    """The known answers published with the generator (Random123, kat_vectors)."""
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
    for counter, key, expected in (
        ((0,) * 4, 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((2**32 - 1,) * 4, 2**64 - 1, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (pi, 0x299F31D0A4093822, (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ):
        words = philox(key, tuple(torch.tensor([word]) for word in counter))
        assert tuple(int(word) for word in words) == expected


@pytest.mark.parametrize("samples", [16000, 63, 64, 65, 1])
def test_noise_is_that_of_the_kernel(rng, samples, device):
    audio = rng.uniform(-1, 1, (4, samples)).astype(np.float32)
    snr_db, index = (
        np.array([0.0, np.inf, -6.0, 20.0]),
        np.array([0, 7, 2**40, 2**64 - 1], np.uint64),
    )
    seed = 2**63 + 12345
    expected = synthesis.add_noise(audio, snr_db, seed=seed, index=index)
    module = nn.Noise(seed).to(device)
    found = module(*on(device, audio), snr_db, index).cpu().numpy()
    loudest = np.abs(expected).max(axis=1, keepdims=True) + np.abs(audio).max()
    assert (np.abs(found - expected) <= 2e-6 * loudest).all()
    assert (found[1] == audio[1]).all()
    words = torch.from_numpy(index.view(np.int64))
    assert (module(*on(device, audio, snr_db), words).cpu().numpy() == found).all()
    default = synthesis.add_noise(audio, 3.0, seed=seed)
    assert np.abs(module(*on(device, audio), 3.0).cpu().numpy() - default).max() <= 5e-6
    one = synthesis.add_noise(audio[0], 3.0, seed=seed)
    assert np.abs(module(*on(device, audio[0]), 3.0).cpu().numpy() - one).max() <= 5e-6


def test_the_ratio_is_exact(rng, device):
    (audio,) = on(device, rng.uniform(-1, 1, (3, 5000)).astype(np.float32))
    audio[2] = 0
    noisy = nn.Noise(1)(audio, [-10.0, 30.0, 5.0])
    power = (noisy - audio).double().square().mean(dim=1)
    found = 10 * torch.log10(audio.double().square().mean(dim=1) / power)[:2]
    assert torch.allclose(found.cpu(), torch.tensor([-10.0, 30.0], dtype=torch.float64), atol=1e-3)
    assert (noisy[2] == 0).all()


def test_a_clips_noise_depends_on_its_index_alone(rng, device):
    (audio,) = on(device, rng.uniform(-1, 1, (9, 300)).astype(np.float32))
    index = torch.arange(100, 109)
    whole = nn.Noise(5)(audio, 3.0, index)
    order = [4, 0, 8]
    assert torch.allclose(nn.Noise(5)(audio[order], 3.0, index[order]), whole[order], atol=1e-6)
    assert torch.allclose(nn.Noise(5)(audio[7], 3.0, 107), whole[7], atol=1e-6)
    assert not torch.allclose(nn.Noise(6)(audio, 3.0, index), whole)


def test_noise_has_its_gradient(rng, device):
    (audio,) = on(device, rng.uniform(-1, 1, (2, 300)).astype(np.float32))
    audio[1] = 0
    audio.requires_grad_()
    snr_db = torch.tensor([6.0, 6.0], dtype=torch.float64, device=device, requires_grad=True)
    noisy = nn.Noise(5)(audio, snr_db)
    weight = torch.rand_like(noisy)
    (noisy * weight).sum().backward()
    with torch.no_grad():
        noise = nn.Noise(5)(audio, snr_db) - audio
        by_ratio = (weight * noise).sum(dim=1) * (-np.log(10) / 20)
        along = (noise[0] * weight[0]).sum() / audio[0].square().sum()
        by_audio = weight[0] + along * audio[0]
    assert torch.allclose(snr_db.grad, by_ratio.double(), rtol=1e-4)
    assert torch.allclose(audio.grad[0], by_audio, atol=1e-4)
    assert torch.equal(audio.grad[1], weight[1])  # no noise in silence


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((torch.zeros(2, 9), np.nan), ValueError, "snr_db takes"),
        ((torch.zeros(2, 9), -np.inf), ValueError, "snr_db takes"),
        ((torch.zeros(2, 9), [1.0, 2.0, 3.0]), ValueError, "snr_db takes"),
        ((torch.zeros(2, 9), "loud"), TypeError, "snr_db takes"),
        ((torch.zeros(2, 9), torch.zeros(2, 1)), ValueError, "snr_db takes"),
        ((torch.zeros(2, 9), 1.0, [0.5, 1.0]), TypeError, "index takes"),
        ((torch.zeros(2, 9), 1.0, [-1, 0]), ValueError, "index takes"),
        ((torch.zeros(2, 9), 1.0, [2**64, 0]), ValueError, "index takes"),
        ((torch.zeros(2, 9), 1.0, torch.zeros(2)), TypeError, "index takes integers"),
        ((torch.zeros(2, 9), 1.0, torch.arange(3)), ValueError, "index takes"),
        ((np.zeros((2, 9)), 1.0), TypeError, "audio takes a tensor"),
        ((torch.zeros(2, 0), 1.0), ValueError, "audio takes at least one sample"),
    ],
)
def test_noise_is_checked(args, error, message):
    with pytest.raises(error, match=message):
        nn.Noise(0)(*args)


@pytest.mark.parametrize("snr_db", [-600.0, [3.0, -600.0]], ids=str)
def test_the_lowest_ratio_is_held_for_audio_at_full_scale(snr_db, device):
    (audio,) = on(device, np.ones((2, 4), np.float32))
    assert nn.Noise(0)(audio, snr_db).isfinite().all()


@pytest.mark.parametrize("snr_db", [-600.1, [3.0, -800.0], -1e300], ids=str)
def test_a_ratio_below_the_lowest_is_refused_as_a_number_alone(snr_db, device):
    (audio,) = on(device, np.ones((2, 4), np.float32))
    with pytest.raises(ValueError, match="snr_db takes numbers >= -600 or infinity, got -"):
        nn.Noise(0)(audio, snr_db)
    column = torch.tensor(snr_db, dtype=torch.float64)
    assert nn.Noise(0)(audio, column).shape == (2, 4)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, None])
def test_a_seed_is_checked(seed):
    with pytest.raises((TypeError, ValueError), match="seed takes an integer"):
        nn.Noise(seed)
