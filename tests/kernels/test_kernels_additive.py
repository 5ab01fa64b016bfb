"""The native additive kernel against its NumPy twin, where tables, tiles and decay could err.

The stated error is 1e-6 of the sum of a clip's amplitudes: every factor and sum is float32.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from fastdis._kernels import reference

native = pytest.importorskip("fastdis._kernels._additive")

RATE = 16000.0
SEGMENT = 16128  # where the kernel begins anew
DECAYS = {"none": 0.0, "alike": 7.0, "unlike": [0.0, 3.0, 900.0, 0.5, 40.0]}


def render(kernel, frequency, length, *, amplitude=1.0, decay=0.0, phase=0.3, rate=RATE, start=0):
    """Clips of the partials ``frequency (B, P)``."""
    frequency = np.atleast_2d(np.asarray(frequency, np.float64))
    columns = [np.resize(np.asarray(c, np.float64), frequency.shape) for c in (amplitude, decay)]
    columns.append(np.resize(np.asarray(phase, np.float64), frequency.shape))
    out = np.full((len(frequency), length), np.nan, np.float32)
    kernel(np.ascontiguousarray(frequency), *columns, rate, out, start)
    return out


def assert_twins(frequency, length, *, more=0.0, **options) -> NDArray[np.float32]:
    got = render(native.additive, frequency, length, **options)
    expected = render(reference.additive, frequency, length, **options)
    loudness = np.abs(np.resize(options.get("amplitude", 1.0), np.shape(frequency))).sum(axis=-1)
    error = np.abs(got.astype(np.float64) - expected).max(axis=1, initial=0.0)
    assert (error <= (1e-6 + more) * np.maximum(loudness, 1e-30)).all()
    return got


@pytest.mark.parametrize("decay", DECAYS.values(), ids=DECAYS)
@pytest.mark.parametrize("frequency", [0.0, 1e-4, 440.0, 500.0, 500.0 + 1e-7, 4000.0, 7999.999])
def test_one_partial(frequency, decay):
    """500 Hz is where a recurrence over 16 samples has its zeros."""
    for phase in (0.0, np.pi / 2, -1.1):
        assert_twins([[frequency]], 8000, decay=decay, phase=phase)


@pytest.mark.parametrize("decay", DECAYS.values(), ids=DECAYS)
@pytest.mark.parametrize(
    "length",
    [0, 1, 2, 47, 48, 49, 95, 97, 383, 384, 385, 767, 769, 5376, 5377, 10753, SEGMENT - 1, SEGMENT,
     SEGMENT + 1, 2 * SEGMENT + 777],
)  # fmt: skip
def test_every_length(length, decay):
    frequency = [[97.0, 503.1, 1499.2, 3000.0, 7000.7], [8000.0, 250.0, 0.0, 5001.0, 60.0]]
    assert_twins(frequency, length, decay=decay)


@pytest.mark.parametrize("decay", DECAYS.values(), ids=DECAYS)
@pytest.mark.parametrize("partials", [0, 1, 63, 64, 65, 128, 129, 10_000])
def test_every_number_of_partials(partials, decay, rng):
    """64 partials make a block; later blocks are added."""
    frequency = rng.uniform(0, RATE / 2, (2, partials))
    amplitude = rng.normal(size=(2, partials))
    phase = rng.uniform(-4, 4, (2, partials))
    length = 400 if partials > 1000 else 3000
    assert_twins(frequency, length, amplitude=amplitude, decay=decay, phase=phase)


@pytest.mark.parametrize("decay", [0.0, 2e-5, [0.0, 1e-5]])
def test_far_into_a_long_clip(decay):
    """After an hour at 48 kHz the phase still counts in float64."""
    start = 48000 * 3600
    assert_twins([[440.3, 12345.6]], 5000, decay=decay, rate=48000.0, start=start, more=1e-7)


@pytest.mark.parametrize("phase", [1e4, 99_999.0, 100_001.0, -1e9, 1e12, -1e15])
def test_large_phases(phase):
    assert_twins([[440.0, 1000.0]], 500, phase=phase)


@pytest.mark.parametrize("decay", [0.0, 5.0, 300.0, 1e4])
@pytest.mark.parametrize("phase", [0.0, 1e-6, np.pi])
@pytest.mark.parametrize("frequency", [1e-4, 1.0, 20.0, 7990.0, 7999.9999])
def test_a_partial_that_stays_quiet_is_right_to_its_own_peak(frequency, phase, decay):
    """It begins near a zero, and decays, ends or turns back before it gets far from it."""
    options = {"decay": decay, "phase": phase}
    got = render(native.additive, [[frequency]], 2000, **options)
    expected = render(reference.additive, [[frequency]], 2000, **options)
    assert np.abs(got - expected).max() <= 3e-6 * np.abs(expected).max()
    # one that decays otherwise, but is hardly there: the products without mirrored sides
    both = render(native.additive, [[frequency, 50.0]], 2000, amplitude=[1, 1e-25],
                  phase=phase, decay=[decay, 1.0])  # fmt: skip
    assert np.abs(both - expected).max() <= 3e-6 * np.abs(expected).max()


@pytest.mark.parametrize("decay", [1e3, 2e4, 3e5, 1e9, 1e300, [1e4, 3e5, 1e300, 0.0]])
def test_fast_decay_ends_in_silence_without_denormal_numbers(decay):
    """Denormal numbers would be right, but many times slower."""
    for length in (700, 16000):
        got = np.abs(assert_twins([[100.0, 2000.0, 50.0, 9000.0]], length, decay=decay, phase=0.9))
        assert not ((got > 0) & (got < np.finfo(np.float32).tiny)).any()
    assert got[0, 0] > 2.0
    assert not got[0, 1000:].any()


def test_a_decay_beyond_all_numbers_leaves_the_first_sample():
    got = assert_twins([[0.001, 0.002]], 60, decay=[1e308, 1e307], rate=0.01, phase=np.pi / 2)
    assert got[0].tolist() == [pytest.approx(2.0), *[0.0] * 59]


def test_partials_at_nyquist_and_of_no_amplitude_are_silent():
    frequency = [[8000.0, 8000.1, 1e9, 300.0], [7999.9, 100.0, 8000.0, 0.0]]
    amplitude = [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]]
    got = assert_twins(frequency, 600, amplitude=amplitude, decay=[0.0, 3.0, 8.0, 1.0], phase=1.0)
    assert not got[0].any()
    assert np.abs(got[1]).max() > 0.9


def test_silent_partials_do_not_matter_to_whether_decays_are_alike():
    one = render(native.additive, [[300.0]], 900, decay=5.0)
    more = render(native.additive, [[300.0, 9000.0, 50.0]], 900, decay=[5.0, 1.0, 2.0],
                  amplitude=[1.0, 1.0, 0.0])  # fmt: skip
    np.testing.assert_array_equal(one, more)


@pytest.mark.parametrize("decay", DECAYS.values(), ids=DECAYS)
def test_a_clip_has_the_same_bits_in_any_batch_and_in_pieces(decay, rng):
    frequency = rng.uniform(0, RATE / 2, (4, 70))
    length = 2 * SEGMENT + 100
    whole = render(native.additive, frequency, length, decay=decay)
    # 70 partials are a multiple of the 5 decays, so that each clip has the same ones
    alone = render(native.additive, frequency[2:3], length, decay=decay)
    last = render(native.additive, frequency[2:3], 100, decay=decay, start=2 * SEGMENT)
    np.testing.assert_array_equal(whole[2:3], alone)
    np.testing.assert_array_equal(whole[2:3, 2 * SEGMENT :], last)


@pytest.mark.parametrize("decay", DECAYS.values(), ids=DECAYS)
@pytest.mark.parametrize("batch", [0, 2])
@pytest.mark.parametrize("length", [0, 1, 47, 400, 2000])
def test_every_sample_of_out_is_written_and_no_other(batch, length, decay):
    whole = np.full((batch + 2, length), 9.0, np.float32)

    def into_the_middle(*arguments):
        native.additive(*arguments[:-2], whole[1:-1], arguments[-1])

    for partials in (0, 5, 65):
        whole[:] = 9.0
        render(into_the_middle, np.full((batch, partials), 100.0), length, decay=decay,
               amplitude=0.01)  # fmt: skip
        assert (whole[[0, -1]] == 9.0).all()
        assert (np.abs(whole[1:-1]) <= 1.0).all()


def test_arguments_may_be_read_only():
    columns = [np.full((1, 2), value) for value in (440.0, 0.5, 1.0, 0.0)]
    for column in columns:
        column.flags.writeable = False
    out = np.empty((1, 64), np.float32)
    native.additive(*columns, RATE, out)
    assert np.abs(out).max() > 0.9
