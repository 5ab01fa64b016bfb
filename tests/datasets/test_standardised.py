"""Standardised sets: the same clips, features of mean 0 and deviation 1, heard as before."""

import json

import numpy as np
import pytest

from fastdis import datasets


@pytest.fixture(scope="module")
def toy():
    return datasets.AdditiveToy("mel", clips=700, snr_db=None, seed=3)


def test_all_values_have_mean_0_and_deviation_1(toy):
    data = datasets.Standardised(toy)
    x = data.features(slice(None)).astype(np.float64)
    assert abs(x.mean()) < 1e-5
    assert abs(x.std() - 1.0) < 1e-5
    raw = toy.features(slice(None)).astype(np.float64)
    np.testing.assert_allclose(x, (raw - raw.mean()) / raw.std(), atol=1e-5)
    assert data.features([5]).dtype == np.float32


def test_everything_else_is_the_sources(toy):
    data = datasets.Standardised(toy)
    assert len(data) == len(toy)
    assert data.space == toy.space
    assert data.table([3]) == toy.table([3])
    np.testing.assert_array_equal(data.audio([0, 7]), toy.audio([0, 7]))
    np.testing.assert_allclose(data.features_of(toy.audio([7])), data.features([7]), atol=1e-6)
    np.testing.assert_allclose(
        data.to_audio(data.features([0, 7])), toy.to_audio(toy.features([0, 7])), atol=1e-3
    )
    assert data.alias_free_features([0]) is None
    tones = datasets.SynTone("sound", num_freqs=3, num_amps=2)
    mended = datasets.Standardised(tones)
    np.testing.assert_allclose(
        mended.alias_free_features([4]), mended.standardise(tones.alias_free_features([4]))
    )


def test_options_make_it_again_without_looking_at_it(toy, monkeypatch):
    data = datasets.Standardised(toy.in_memory())
    options = json.loads(json.dumps(data.in_memory().options()))
    monkeypatch.setattr("fastdis.datasets.standardised._moments", lambda _: pytest.fail("again"))
    again = datasets.build(options)
    np.testing.assert_array_equal(again.features([1, 2]), data.features([1, 2]))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"source": 3}, TypeError, "source takes a data set or its options, got"),
        ({"mean": 1.0}, ValueError, "mean and scale go together"),
        ({"scale": 1.0}, ValueError, "mean and scale go together"),
        ({"mean": 0.0, "scale": 0.0}, ValueError, "scale takes a number > 0"),
    ],
)
def test_bad_input(toy, arguments, error, message):
    with pytest.raises(error, match=message):
        datasets.Standardised(**{"source": toy, **arguments})


def test_features_that_are_all_alike():
    clips = datasets.SynTone("sound", num_freqs=1, num_amps=1, amp_start=0.0, amp_end=0.0)
    with pytest.raises(ValueError, match="source takes features that differ, got 0 in all"):
        datasets.Standardised(clips)
