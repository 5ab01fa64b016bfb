"""The audit finds by itself what the features keep and what they lose."""

import numpy as np
import pytest

from fastdis import Factor, FactorSpace, datasets
from fastdis.datasets import SynTone
from fastdis.datasets._base import Dataset


@pytest.fixture(scope="module")
def published():
    return datasets.audit(SynTone("published", num_freqs=60, num_amps=5))


@pytest.fixture(scope="module")
def sound():
    return datasets.audit(SynTone("sound", num_freqs=60, num_amps=5))


def test_published_features_erase_amplitude(published):
    amplitude = published.factors[1]
    assert amplitude.indistinguishable == 1.0
    assert amplitude.median_distance < 1e-5
    assert amplitude.accuracy < 0.05
    assert not amplitude.passes
    assert "erased" in amplitude.verdict
    assert "amplitude cannot" in published.verdict


def test_most_of_published_timbre_is_aliasing(published):
    """By the harmonics below Nyquist alone: all six pairs of waveforms are one above sr / 4, three
    of six above sr / 6, and little is left just below.
    """
    timbre = published.factors[2]
    assert timbre.passes
    frequency = np.linspace(440, 8000, 60)
    expected = (frequency > 4000).mean() + 0.5 * (
        (frequency > 8000 / 3) & (frequency <= 4000)
    ).mean()
    assert timbre.aliasing == pytest.approx(expected, abs=0.07)
    assert "told apart by aliasing" in timbre.verdict


def test_all_sound_factors_pass(sound):
    assert sound.passes
    for factor in sound.factors:
        assert factor.indistinguishable == 0.0
        assert 0 < factor.smallest_distance <= factor.median_distance
        assert not factor.aliasing
    assert sound.verdict.startswith("All 3 factors can be recovered")


def test_it_prints_and_goes_to_plain_values(published):
    assert datasets.Audit.from_dict(published.to_dict()) == published
    assert "amplitude    100.0%" in str(published)


class Tones(Dataset):
    """Features made up from the levels: ``shape`` shows only at every other level."""

    sample_rate, feature_shape = 8000, (1, 4, 3)

    def __init__(self, factors, rows=None):
        self.space = FactorSpace(factors)
        self.rows = np.arange(self.space.size) if rows is None else rows

    def __len__(self):
        return len(self.rows)

    def table(self, indices=None):
        return self.space.grid(self.rows if indices is None else self.rows[indices])

    def features(self, indices):
        x = np.zeros((len(self.rows[indices]), 12), np.float32)
        levels = self.table(indices).levels
        x[:, 0] = levels[:, 0] // 2
        x[:, 5:] = np.cos(levels[:, -1:] * np.arange(7))
        return x.reshape(-1, 1, 4, 3)

    def audio(self, indices):
        return np.zeros((len(self.rows[indices]), 8000), np.float32)

    def features_of(self, audio):
        raise AssertionError("the audit asks for features by index")

    to_audio = options = features_of


def test_half_hidden_levels_are_in_doubt():
    data = Tones([Factor("pitch", np.arange(12)), Factor("gain", np.arange(9))])
    pitch, gain = datasets.audit(data, pairs=2000).factors
    # Six of the eleven steps between neighbours stay within a pair that looks alike.
    assert pitch.indistinguishable == pytest.approx(6 / 11, abs=0.05)
    assert not pitch.passes
    assert "in doubt" in pitch.verdict
    assert gain.indistinguishable == 0.0


def test_one_level_and_one_factor():
    data = Tones([Factor("one", [1.0]), Factor("pitch", np.arange(30))])
    one, pitch = datasets.audit(data).factors
    assert one.passes
    assert "one level" in one.verdict
    assert pitch.indistinguishable == 0.0
    alone = datasets.audit(Tones([Factor("pitch", np.arange(40))]))
    assert len(alone.factors) == 1


def test_sets_in_which_no_two_clips_are_neighbours():
    factors = [Factor("pitch", np.arange(40)), Factor("gain", np.arange(40))]
    diagonal = np.arange(40) * 41
    audit = datasets.audit(Tones(factors, diagonal))
    assert "no two clips differ in it alone" in audit.factors[0].verdict
    assert datasets.audit(SynTone("sound", num_freqs=2, num_amps=1)).factors[1].passes


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (Tones([Factor("a", np.arange(7))]), {}, "at least 8 clips"),
        (Tones([Factor("a", np.arange(9))]), {"pairs": 0}, "pairs takes"),
        (Tones([Factor("a", np.arange(9))]), {"seed": -1}, "seed takes"),
    ],
)
def test_what_cannot_be_audited(data, options, message):
    with pytest.raises(ValueError, match=message):
        datasets.audit(data, **options)


def test_continuous_factors_are_refused():
    data = Tones([Factor("a", np.arange(9))])
    data.space = FactorSpace([Factor("a", [0, 1], "continuous")])
    with pytest.raises(ValueError, match="continuous 'a'"):
        datasets.audit(data)
