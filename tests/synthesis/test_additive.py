"""Series of partials and their sums: definitions, exactness, the same bits anywhere, errors."""

import tracemalloc

import numpy as np
import pytest

from fastdis import Partials, additive, harmonic_partials

RATE = 16000


def summed(partials, samples, rate=RATE):
    """The definition, in extended precision as far as sines go."""
    n = np.arange(samples)
    out = np.zeros((len(partials[0]), samples))
    for b, rows in enumerate(zip(*partials, strict=True)):
        for f, a, d, phase in zip(*rows, strict=True):
            if f < rate / 2:
                x = 2 * np.pi * np.mod(np.longdouble(f) / rate * n, 1) + phase
                out[b] += a * np.exp(-d * n / rate) * np.sin(x).astype(np.float64)
    return out


def worst(audio, expected):
    """The largest error of all clips, by the clip's own peak."""
    return (np.abs(audio - expected).max(axis=1) / np.abs(expected).max(axis=1)).max()


@pytest.fixture
def bells(rng):
    """Five inharmonic clips, every partial with its own decay."""
    f0 = rng.uniform(80, 600, 5)
    partials = harmonic_partials(f0, 30, inharmonicity=2e-3, slope=-0.9, decay=2.0, damping=0.7)
    return partials._replace(phase=rng.uniform(-np.pi, np.pi, (5, 30)))


# --- harmonic_partials ---


def test_partials_are_those_of_their_definition():
    f0, stiffness, slope, decay, damping = [110.0, 700.0], 0.01, [-0.5, -1.5], [0.0, 4.0], 0.3
    got = harmonic_partials(
        f0, 12, inharmonicity=stiffness, slope=slope, decay=decay, damping=damping
    )
    for b in range(2):
        for i, n in enumerate(range(1, 13)):
            ratio = n * np.sqrt(1 + (n**2 - 1) * stiffness)
            heard = ratio * f0[b] < RATE / 2
            assert got.frequency[b, i] == pytest.approx(ratio * f0[b])
            assert got.amplitude[b, i] == pytest.approx(
                max(0.0, 1 + slope[b] * (n - 1) / 12) * heard
            )
            assert got.decay[b, i] == pytest.approx(decay[b] + damping * (ratio - 1))
    assert not got.phase.any()
    assert not got.amplitude[1, -1]  # beyond Nyquist, and at a slope that is over by then


def test_harmonics_choose_partials_and_leave_their_amplitudes():
    every, even, odd = harmonic_partials(100.0, 7, slope=-0.9, harmonics=[0, 1, 2]).amplitude
    np.testing.assert_array_equal(even, every * [0, 1, 0, 1, 0, 1, 0])
    np.testing.assert_array_equal(odd, every * [1, 0, 1, 0, 1, 0, 1])
    named = harmonic_partials(100.0, 7, slope=-0.9, harmonics=["all", "even", "odd"])
    np.testing.assert_array_equal(named.amplitude, [every, even, odd])


def test_partials_at_or_above_nyquist_are_silent():
    third = harmonic_partials(RATE / 6, 4).amplitude  # the third is at the limit, but for rounding
    np.testing.assert_array_equal(third, [[1, 1, 0, 0]])
    assert not additive(harmonic_partials(5000.0, 8, harmonics="even"), duration=0.01).any()
    assert not harmonic_partials(8000.0, 3).amplitude.any()


def test_all_arrays_are_contiguous_float64_of_one_shape():
    for columns in ({"f0": 100.0}, {"f0": [100.0] * 3}, {"f0": 100.0, "decay": [1, 2, 3]}):
        partials = harmonic_partials(**columns, n_partials=6)
        batch = 1 if columns == {"f0": 100.0} else 3
        assert isinstance(partials, Partials)
        for array in partials:
            assert array.shape == (batch, 6)
            assert array.dtype == np.float64
            assert array.flags.c_contiguous
            assert array.flags.writeable


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"f0": 0.0}, ValueError, "f0 takes values above 0, got 0 at index 0"),
        ({"f0": [100.0, -5.0]}, ValueError, r"f0 takes values in \[0, .*got -5 at index 1"),
        ({"f0": np.nan}, ValueError, "f0 takes finite values"),
        ({"f0": "A4"}, TypeError, "f0 takes real numbers"),
        ({"n_partials": 0}, ValueError, "n_partials takes an integer >= 1"),
        ({"n_partials": 4.0}, TypeError, "n_partials takes an integer"),
        ({"inharmonicity": -1e-9}, ValueError, "inharmonicity takes values in"),
        ({"slope": np.inf}, ValueError, "slope takes finite values"),
        ({"harmonics": "eve"}, ValueError, "harmonics takes one of 'all'.*did you mean 'even'"),
        ({"harmonics": 3}, ValueError, "harmonics takes one .* from 0 to 2, got 3"),
        ({"decay": -1.0}, ValueError, "decay takes values in"),
        ({"damping": -0.1}, ValueError, "damping takes values in"),
        ({"sample_rate": 0}, ValueError, "sample_rate takes a number > 0"),
        ({"f0": [1.0, 2.0], "decay": [1.0] * 3}, ValueError, r"f0 \(2,\), decay \(3,\)"),
        (
            {"f0": [50.0] * 4, "slope": [0, -40, -41, -39], "harmonics": "even"},
            ValueError,
            "slope and harmonics take .* got -40 and 'even' for 40 partials at index 1 and 1 more",
        ),
        ({"n_partials": 1, "harmonics": "even"}, ValueError, "got 0 and 'even' for 1 partials"),
    ],
)
def test_errors_of_partials_name_the_argument_and_the_place(arguments, error, message):
    with pytest.raises(error, match=message):
        harmonic_partials(**{"f0": 100.0} | arguments)


# --- additive ---


def test_the_sum_is_exact_to_a_millionth_of_the_peak(bells):
    assert worst(additive(bells, duration=1.3), summed(bells, 20800)) <= 1e-6
    alike = bells._replace(decay=np.full((5, 30), 3.0))
    assert worst(additive(alike, duration=1.3), summed(alike, 20800)) <= 1e-6


def test_on_the_whole_range_of_the_toy_data_set(rng):
    """Fundamentals in steps of 50 Hz, where recurrences over 16 samples lose digits."""
    batch = 64
    partials = harmonic_partials(
        rng.integers(2, 21, batch) * 50.0, 20, inharmonicity=rng.uniform(0, 1, batch) ** 2 * 0.1,
        slope=rng.uniform(-0.9, -0.1, batch), harmonics=rng.integers(0, 3, batch),
        decay=rng.integers(0, 11, batch), damping=rng.uniform(0, 1, batch), sample_rate=8000,
    )  # fmt: skip
    audio = additive(partials, sample_rate=8000, duration=0.25)
    heard = partials.amplitude.any(axis=1)
    expected = summed(partials, 2000, 8000)
    assert worst(audio[heard], expected[heard]) <= 1e-6
    assert not audio[~heard].any()


def test_a_minute_keeps_its_phase():
    partials = ([[440.1, 7000.3]], 0.5, [[0.01, 0.0]], 0.0)
    audio = additive(partials, duration=60.0)
    n = np.arange(59 * RATE, 60 * RATE, dtype=np.longdouble)
    expected = 0.5 * np.exp(-0.01 * n / RATE) * np.sin(2 * np.pi * 440.1 * n / RATE)
    expected += 0.5 * np.sin(2 * np.pi * np.longdouble(7000.3) * n / RATE)
    assert np.abs(audio[0, 59 * RATE :] - expected).max() <= 1e-6


def test_any_array_of_numbers_will_do():
    frequency = np.arange(100.0, 900.0, 100.0).reshape(2, 4)
    expected = additive((frequency, 0.25, 1.0, 0.5), duration=0.02)
    full = [np.full((2, 4), value) for value in (0.25, 1.0, 0.5)]
    read_only = frequency.copy()
    read_only.flags.writeable = False
    for same in (
        frequency.tolist(), frequency.astype(np.float32), frequency.astype(np.int16),
        np.repeat(frequency, 2, axis=1)[:, ::2], np.asfortranarray(frequency), read_only,
    ):  # fmt: skip
        np.testing.assert_array_equal(additive((same, 0.25, 1, 0.5), duration=0.02), expected)
        np.testing.assert_array_equal(additive([same, *full], duration=0.02), expected)


def test_no_partials_are_silence_and_no_clips_are_no_audio():
    assert additive([np.zeros((3, 0))] * 4, duration=0.01).tolist() == [[0.0] * 160] * 3
    assert additive([np.zeros((0, 5))] * 4).shape == (0, RATE)
    one = additive((440.0, 1.0, 0.0, np.pi / 2), duration=1 / RATE)
    np.testing.assert_allclose(one, [[1.0]], rtol=2e-7)


def test_ten_thousand_partials(rng):
    frequency = rng.uniform(0, 9000, (1, 10_000))
    partials = (frequency, rng.normal(size=(1, 10_000)), rng.uniform(0, 9, (1, 10_000)), frequency)
    assert worst(additive(partials, duration=0.01), summed(partials, 160)) <= 1e-6


def test_partials_and_audio_are_not_copied():
    partials = harmonic_partials(np.full(300, 100.0), 40, decay=1.0)
    out = np.empty((300, 1600), np.float32)
    additive(partials, duration=0.1, out=out)
    tracemalloc.start()
    additive(partials, duration=0.1, out=out)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < partials.frequency.nbytes / 2 < out.nbytes


GOOD = ([[100.0, 200.0]], 1.0, 0.0, 0.0)


def changed(place, value):
    return (*GOOD[:place], value, *GOOD[place + 1 :])


@pytest.mark.parametrize(
    ("partials", "options", "error", "message"),
    [
        (440.0, {}, TypeError, r"partials takes a Partials or a sequence \(frequency, "),
        (GOOD[:3], {}, TypeError, "partials takes a Partials"),
        (changed(0, [[-1.0, 2.0]]), {}, ValueError, r"frequency takes .*got -1 at index \(0, 0\)"),
        (changed(0, [[1.0, np.inf]]), {}, ValueError, r"frequency takes finite .*index \(0, 1\)"),
        (changed(0, [100.0, 200.0]), {}, ValueError, "frequency takes 0 or 2 dimension"),
        (changed(1, 1e31), {}, ValueError, "amplitude takes values in .*, got 1e.31$"),
        (changed(1, [[1.0], [1.0]]), {}, ValueError, r"frequency \(1, 2\), amplitude \(2, 1\)"),
        (changed(2, -0.1), {}, ValueError, "decay takes values in"),
        (changed(3, np.nan), {}, ValueError, "phase takes finite values"),
        (changed(3, "zero"), {}, TypeError, "phase takes real numbers"),
        (GOOD, {"sample_rate": -1}, ValueError, "sample_rate takes a number > 0"),
        (GOOD, {"duration": 0}, ValueError, "duration takes a number > 0"),
        (GOOD, {"duration": 1e-5}, ValueError, "duration takes a clip of at least one sample"),
        (GOOD, {"duration": 1e9}, MemoryError, "additive, for a result of shape"),
        (GOOD, {"out": np.empty((2, RATE), np.float32)}, ValueError, "out takes a writeable"),
        (GOOD, {"out": np.empty((1, RATE))}, TypeError, "out takes a writeable"),
    ],
)
def test_errors_of_the_sum_name_the_argument_and_the_place(partials, options, error, message):
    with pytest.raises(error, match=message):
        additive(partials, **options)
