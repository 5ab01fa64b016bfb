"""Noise as its users meet it: the exact ratio, the stream's statistics, shapes and errors."""

import itertools
import tracemalloc

import numpy as np
import pytest
from scipy import stats

import fastdis
from fastdis import add_noise
from fastdis._kernels import native_module, reference

MOST = 2**64 - 1


def tone(batch=None, samples=16_000):
    """Clips of a steady level, float32."""
    t = np.arange(samples) / 16_000
    clip = (0.5 * np.sin(2 * np.pi * 441 * t)).astype(np.float32)
    return clip if batch is None else np.tile(clip, (batch, 1))


def measured_snr(audio, noisy):
    """In dB, in float64."""
    audio = np.asarray(audio, np.float64)
    noise = noisy - audio
    return 10 * np.log10(np.mean(audio**2, axis=-1) / np.mean(noise**2, axis=-1))


def stream(count, *, seed=0, index=0):
    """``count`` normals of one stream."""
    out = np.empty(count, np.float32)
    (native_module("_noise") or reference).normals(seed, index, 0, out)
    return out.astype(np.float64)


@pytest.mark.parametrize("samples", [1, 2, 77, 1025, 16_000, 22_051])
@pytest.mark.parametrize("level", [1e-20, 1e-3, 1.0, 1e20])
def test_the_ratio_is_exact_in_every_clip(samples, level, rng):
    snr_db = np.array([-40.0, -3.0, 0.0, 20.0, 60.0])
    audio = (level * rng.standard_normal((5, samples))).astype(np.float32)
    noisy = add_noise(audio, snr_db, seed=3)
    assert noisy.dtype == np.float32
    bound = 1e-4 if samples > 1000 else 2e-3  # the rounding of the sum, at 60 dB
    np.testing.assert_allclose(measured_snr(audio, noisy), snr_db, rtol=0, atol=bound)


@pytest.mark.parametrize(("snr_db", "bound"), [(-200, 1e-5), (100, 1e-3), (130, 0.04)])
def test_the_ratio_is_as_exact_as_float32_holds_the_sum(snr_db, bound):
    assert measured_snr(tone(), add_noise(tone(), snr_db, seed=0)) == pytest.approx(
        snr_db, abs=bound
    )


def test_infinity_adds_none_and_silence_stays_silent():
    audio = tone(3)
    audio[1] = 0.0
    noisy = add_noise(audio, [np.inf, 10.0, 10.0], seed=0)
    np.testing.assert_array_equal(noisy[:2], audio[:2])
    assert (noisy[2] != audio[2]).any()


def test_a_clip_is_a_function_of_its_seed_and_index(threads, rng):
    audio = rng.standard_normal((1500, 700)).astype(np.float32)
    index = rng.permutation(1500)
    snr_db = rng.uniform(-20, 60, 1500)
    noisy = add_noise(audio, snr_db, seed=MOST, index=index)
    for count in (1, 2, 3, 7):
        threads(count)
        again = add_noise(audio, snr_db, seed=MOST, index=index)
        np.testing.assert_array_equal(again, noisy)
    for i in (0, 1, 749, 1499):
        alone = add_noise(audio[i], snr_db[i], seed=MOST, index=index[i])
        np.testing.assert_array_equal(alone, noisy[i])
    np.testing.assert_array_equal(
        add_noise(audio[:3], 0.0, seed=1), add_noise(audio[:3], 0.0, seed=1, index=[0, 1, 2])
    )


def test_a_shorter_clip_gets_the_beginning():
    long, short = (add_noise(tone(samples=n), 0.0, seed=0) - tone(samples=n) for n in (5000, 1234))
    ratio = long[:1234] / short
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


def test_indices_reach_to_the_last():
    index = [0, 2**32, 2**63, MOST]
    noisy = add_noise(tone(4), 0.0, seed=0, index=index)
    for given in (np.array(index, np.uint64), tuple(index)):
        np.testing.assert_array_equal(add_noise(tone(4), 0.0, seed=0, index=given), noisy)
    assert len({row.tobytes() for row in noisy}) == 4
    np.testing.assert_array_equal(add_noise(tone(), 0.0, seed=0, index=MOST), noisy[3])


# The stream is fixed, so that these pass for good or fail for good; the bounds are those that one
# of 10,000 random streams would miss.


def test_normals_are_normal():
    z = stream(4_000_000)
    n = len(z)
    assert abs(z.mean()) < 4 / np.sqrt(n)
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs((z**3).mean()) < 4 * np.sqrt(15 / n)
    assert abs((z**4).mean() - 3) < 4 * np.sqrt(96 / n)
    assert stats.kstest(z[:1_000_000], "norm").pvalue > 1e-4
    for sigmas in (3.0, 4.0, 4.5):
        expected = 2 * stats.norm.sf(sigmas) * n
        assert abs((np.abs(z) > sigmas).sum() - expected) < 4 * np.sqrt(expected)
    assert 4.9 < np.abs(z).max() < 5.77


def test_each_of_the_four_words_is_normal():
    for w, part in enumerate(stream(1_024_000).reshape(-1, 4, 16).swapaxes(0, 1)):
        assert stats.kstest(part.ravel(), "norm").pvalue > 1e-4, w


def test_samples_are_independent_in_time():
    z = stream(2**20)
    for x in (z, z**2 - 1):
        spectrum = np.abs(np.fft.rfft(x, 2 * len(x))) ** 2
        lags = np.fft.irfft(spectrum)[1:4097] / np.mean(x**2) / np.sqrt(len(x))
        assert np.abs(lags).max() < 5.2  # of 4,096
        # white: no line stands out, nor does the spectrum slope
        power = np.abs(np.fft.rfft(x)[1:-1]) ** 2
        assert power.max() / power.mean() < np.log(len(power)) + 10
        halves = power.reshape(-1)[: len(power) // 2 * 2].reshape(2, -1).mean(axis=1)
        assert abs(halves[0] / halves[1] - 1) < 8 / np.sqrt(len(power))


def test_neighbouring_clips_and_seeds_are_independent():
    keys = [(s, i) for s in (0, 1, 2, 2**32, 2**63) for i in (0, 1, 2, 3, 2**32, MOST)]
    z = np.stack([stream(2**16, seed=s, index=i) for s, i in keys])
    for x in (z, z**2 - 1, np.abs(z) - np.sqrt(2 / np.pi)):
        x = x / x.std(axis=1, keepdims=True)
        correlation = x @ x.T / np.sqrt(x.shape[1])
        pairs = correlation[np.triu_indices(len(keys), 1)]
        assert np.abs(pairs).max() < 5  # of 435
        assert abs(pairs.std() - 1) < 0.2
    first = np.array([stream(1, index=i)[0] for i in range(20_000)])  # across the indices
    assert stats.kstest(first, "norm").pvalue > 1e-4
    assert abs(np.mean(first[1:] * first[:-1])) < 4 / np.sqrt(len(first))


def test_shapes():
    assert add_noise(tone(), 5.0, seed=0).shape == (16_000,)
    assert add_noise(tone(1), 5.0, seed=0).shape == (1, 16_000)
    assert add_noise(np.zeros((0, 9), np.float32), 5.0, seed=0).shape == (0, 9)
    assert add_noise(np.zeros((0, 9), np.float32), [], seed=0, index=[]).shape == (0, 9)


@pytest.mark.parametrize("batch", [None, 3])
def test_out(batch):
    audio = tone(batch)
    expected = add_noise(audio, 5.0, seed=0)
    out = np.empty_like(audio)
    assert add_noise(audio, 5.0, seed=0, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert add_noise(audio, 5.0, seed=0, out=audio) is audio
    np.testing.assert_array_equal(audio, expected)


@pytest.mark.parametrize("shift", [1, 16_000, 16_001])
@pytest.mark.parametrize("forward", [True, False])
def test_out_may_begin_within_audio(shift, forward):
    whole = np.resize(tone(), 4 * 16_000 + shift)
    early, late = (part.reshape(4, -1) for part in (whole[: 4 * 16_000], whole[shift:]))
    audio, out = (early, late) if forward else (late, early)
    expected = add_noise(audio.copy(), 5.0, seed=0)
    np.testing.assert_array_equal(add_noise(audio, 5.0, seed=0, out=out), expected)


@pytest.mark.parametrize("in_place", [False, True])
def test_nothing_of_the_size_of_a_clip_is_allocated_beside_out(in_place):
    audio = tone(200)
    out = audio if in_place else np.empty_like(audio)
    add_noise(audio, 20.0, seed=0, out=out)  # starts the threads
    tracemalloc.start()
    try:
        add_noise(audio, 20.0, seed=0, out=out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < audio[0].nbytes


GOOD = {"audio": np.ones((3, 100), np.float32), "snr_db": 20.0, "seed": 0}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"audio": np.ones((3, 100), np.int16)}, TypeError, "audio takes floating-point"),
        ({"audio": np.ones((3, 0))}, ValueError, "audio takes at least one sample"),
        ({"audio": np.ones((1, 3, 100))}, ValueError, "audio takes 1 or 2 dimension"),
        ({"audio": np.array(1.0)}, ValueError, "audio takes 1 or 2 dimension"),
        ({"audio": [[1.0, 2.0], [3.0]]}, ValueError, "audio takes a regular array"),
        ({"audio": np.array([1.0, np.nan])}, ValueError, "audio takes finite.*nan at index 1"),
        ({"audio": np.array([[1, 2], [3, np.inf]])}, ValueError, r"finite.*inf at index \(1, 1\)"),
        ({"audio": np.full((2, 5), 1e32, np.float32)}, ValueError, "audio takes.*1e.32 in clip 0"),
        ({"snr_db": np.nan}, ValueError, "snr_db takes numbers or infinity, got nan"),
        ({"snr_db": -np.inf}, ValueError, "snr_db takes numbers or infinity, got -inf"),
        ({"snr_db": [1.0, 2.0, np.nan]}, ValueError, "nan at index 2"),
        ({"snr_db": [1.0, 2.0]}, ValueError, "snr_db takes one value or one per clip, 3.*got 2"),
        ({"snr_db": [20.0]}, ValueError, "snr_db takes one value or one per clip, 3.*got 1"),
        ({"snr_db": [[1.0]] * 3}, ValueError, "snr_db takes 0 or 1 dimension"),
        ({"snr_db": "20"}, TypeError, "snr_db takes real numbers"),
        ({"snr_db": [20.0, -900.0, 20.0]}, ValueError, "snr_db takes ratios.*-900 for clip 1"),
        ({"snr_db": -1e300}, ValueError, "snr_db takes ratios"),
        ({"seed": -1}, ValueError, "seed takes an integer >= 0"),
        ({"seed": 2**64}, ValueError, "seed takes an integer >= 0"),
        ({"seed": 1.0}, TypeError, "seed takes an integer"),
        ({"index": [0, 1]}, ValueError, "index takes one integer per clip, 3 of them, got 2"),
        ({"index": 0}, ValueError, "index takes one integer per clip, 3 of them, got 1"),
        ({"index": [0, 1, -1]}, ValueError, "index takes an integer >= 0"),
        ({"index": [0, 1, 2**64]}, ValueError, "index takes an integer >= 0"),
        ({"index": [0.0, 1.0, 2.0]}, TypeError, "index takes an integer"),
        ({"index": [[0, 1, 2]]}, ValueError, "index takes integers of shape"),
        ({"index": [True, False, True]}, TypeError, "index takes an integer"),
        ({"out": np.empty((3, 100))}, TypeError, "out takes a writeable"),
        ({"out": np.empty((3, 99), np.float32)}, ValueError, "out takes a writeable"),
        ({"out": np.empty((100, 3), np.float32).T}, ValueError, "not contiguous"),
    ],
)
def test_errors_name_the_argument(change, error, message):
    with pytest.raises(error, match=message):
        add_noise(**GOOD | change)


@pytest.mark.parametrize(
    ("sample", "ratio"), [(np.nan, 5.0), (1e32, 5.0), (1e32, np.inf), (0.1, -900.0)]
)
@pytest.mark.parametrize("samples", [3, 2000])
@pytest.mark.parametrize("where", ["itself", "within", "reversed"])
def test_an_error_in_a_late_clip_leaves_every_clip_as_it_was(
    sample, ratio, samples, where, threads
):
    whole, snr_db = tone(401, samples), np.full(400, 5.0)
    out = whole[:-1]
    audio = {"itself": out, "within": whole[1:], "reversed": out[::-1]}[where]
    audio[398, 2], snr_db[398] = sample, ratio
    clean = whole.copy()
    for count in (1, 3):
        threads(count)
        with pytest.raises(ValueError, match=r"398"):
            add_noise(audio, snr_db, seed=0, out=out)
        np.testing.assert_array_equal(whole, clean)


@pytest.mark.parametrize("samples", [2, 500])
def test_in_place_takes_what_is_just_within_the_bounds(samples, rng):
    audio = rng.standard_normal((4, samples)).astype(np.float32)
    audio[0] *= np.float32(1e29)
    audio[3] = 0.0
    snr_db = np.array([10.0, -570.0, np.inf, -5e4])
    expected = add_noise(audio, snr_db, seed=0)
    np.testing.assert_array_equal(add_noise(audio, snr_db, seed=0, out=audio), expected)


def test_a_level_within_rounding_of_the_loudest_is_not_blamed_on_the_ratio(monkeypatch, rng):
    messages = []
    for audio in rng.standard_normal((50, 1003)).astype(np.float32):
        level = np.sqrt(np.mean(np.square(audio, dtype=np.float64)))
        monkeypatch.setattr("fastdis.synthesis.noise.LOUDEST", level)
        try:
            add_noise(audio, np.inf, seed=0)
        except ValueError as error:
            messages.append(str(error))
    assert messages
    assert all(text.startswith("audio takes clips with a root mean square") for text in messages)


@pytest.mark.skipif(native_module("_noise") is None, reason="the twin's normal is 1e-16 or so")
def test_noise_that_is_zero_has_an_error_of_its_own():
    index = 14789796  # its first normal is 0
    audio = np.ones(1, np.float32)
    with pytest.raises(ValueError, match=r"index takes streams.*got 14789796 for clip 0 of 1"):
        add_noise(audio, 0.0, seed=0, index=index)
    assert add_noise(audio, np.inf, seed=0, index=index) == 1
    assert add_noise(0 * audio, 0.0, seed=0, index=index) == 0


def test_read_only_audio_cannot_be_out():
    audio = tone()
    audio.flags.writeable = False
    with pytest.raises(ValueError, match=r"out takes a writeable.*read-only"):
        add_noise(audio, 5.0, seed=0, out=audio)


def test_the_error_of_any_thread_reaches_the_caller(threads):
    audio = tone(400)
    audio[399, 15_999] = np.nan
    for count in (1, 2, 5):
        threads(count)
        with pytest.raises(ValueError, match=r"nan at index \(399, 15999\)"):
            add_noise(audio, 20.0, seed=0)


def test_public_name():
    assert fastdis.add_noise is fastdis.synthesis.add_noise
    assert fastdis.backends()["add_noise"]


def test_seeds_and_indices_do_not_trade_places():
    pairs = list(itertools.product((0, 1, 2**32), repeat=2))
    clips = {add_noise(tone(samples=64), 0.0, seed=s, index=i).tobytes() for s, i in pairs}
    assert len(clips) == len(pairs)
