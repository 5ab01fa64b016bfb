"""adsr against its formula, sample by sample, and where stages are missing, overlap or overrun."""

import numpy as np
import pytest

from fastdis import adsr


def plain(attack, decay, sustain, release, rate, duration):
    """The docstring, literally."""
    t_off = max(0.0, duration - release)

    def held(t):
        if t < attack:
            return t / attack
        if t < attack + decay:
            return 1 - (1 - sustain) * (t - attack) / decay
        return sustain

    t = np.arange(round(rate * duration)) / rate
    return np.array(
        [
            held(x)
            if release == 0 or x < t_off
            else held(t_off) * max(0, 1 - (x - t_off) / release)
            for x in t
        ]
    )


@pytest.mark.parametrize(
    "stages",
    [
        (0.1, 0.2, 0.5, 0.3),  # nothing overlaps
        (0.0, 0.0, 1.0, 0.0),  # none
        (0.0, 0.0, 0.4, 0.0),
        (0.0, 0.25, 0.4, 0.0),
        (0.25, 0.0, 0.4, 0.25),  # jumps from 1 to 0.4
        (0.25, 0.0, 0.0, 0.0),  # a tooth
        (0.3, 0.1, 1.0, 0.1),  # no decay to be seen
        (0.6, 0.3, 0.5, 0.3),  # note-off while it decays
        (0.8, 0.3, 0.5, 0.5),  # note-off while it rises
        (0.8, 0.3, 0.5, 0.9999),
        (3.0, 0.1, 0.5, 0.0),  # longer than the clip
        (0.3, 9.0, 0.5, 0.2),
        (0.0, 0.5, 0.5, 2.0),  # its release is cut by the end
        (0.0, 0.0, 0.5, 1.0),
        (1e-9, 1e-9, 0.5, 1e-9),
    ],
)
@pytest.mark.parametrize(("rate", "duration"), [(8000, 1.0), (37.5, 1.0)])
def test_it_is_its_formula(stages, rate, duration):
    envelope = adsr(*stages, sample_rate=rate, duration=duration)
    expected = plain(*stages, rate, duration)
    assert envelope.shape == (1, len(expected))
    assert envelope.dtype == np.float32
    assert np.abs(envelope[0] - expected).max() < 1e-6


def test_it_is_its_formula_wherever_stages_end(rng):
    for _ in range(200):
        rate = float(rng.choice([10, 441, 8000]))
        duration = rng.uniform(2, 300) / rate
        stages = rng.uniform(0, 1.5 * duration, 4) * (rng.random(4) < 0.8)
        stages[2] = rng.choice([0.0, 1.0, rng.random()])
        envelope = adsr(*stages, sample_rate=rate, duration=duration)[0]
        assert np.abs(envelope - plain(*stages, rate, duration)).max() < 1e-6


def test_a_release_as_long_as_the_clip():
    options = {"sample_rate": 100, "duration": 0.1}
    assert np.array_equal(adsr(0.01, 0.0, 1.0, 0.1, **options), np.zeros((1, 10)))
    assert np.allclose(adsr(0.0, 0.0, 1.0, 0.1, **options)[0], 1 - np.arange(10) / 10)
    assert np.allclose(adsr(0.0, 0.0, 1.0, 0.2, **options)[0], 1 - np.arange(10) / 20)


@pytest.mark.parametrize(
    ("stages", "options", "error", "message"),
    [
        ((-0.1, 0, 1, 0), {}, ValueError, "attack takes values"),
        ((0, [0.1, -1.0], 1, 0), {}, ValueError, "decay takes values .* index 1"),
        ((0, 0, 1.1, 0), {}, ValueError, "sustain takes values in"),
        ((0, 0, 1, np.nan), {}, ValueError, "release takes finite"),
        ((np.inf, 0, 1, 0), {}, ValueError, "attack takes finite"),
        (("slow", 0, 1, 0), {}, TypeError, "attack takes real"),
        (([0.1, 0.2], [0.1] * 3, 1, 0), {}, ValueError, "one value or one length"),
        ((0, 0, 1, 0), {"duration": 0}, ValueError, "duration takes"),
        ((0, 0, 1, 0), {"sample_rate": 0}, ValueError, "sample_rate takes"),
        ((0, 0, 1, 0), {"out": np.zeros((1, 9), np.float32)}, ValueError, "out takes"),
    ],
)
def test_bad_stages(stages, options, error, message):
    with pytest.raises(error, match=message):
        adsr(*stages, **options)
