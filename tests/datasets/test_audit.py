"""The audit finds by itself what the features keep and what they lose."""

import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from fastdis import Factor, FactorSpace, datasets
from fastdis.datasets import AdditiveToy, FactorAudit, SynTone
from fastdis.datasets.auditing.neighbours import confused
from fastdis.datasets.auditing.result import Outcome, paragraph, sentence
from fastdis.datasets.base import Dataset


@pytest.fixture(scope="module")
def published():
    return datasets.audit(SynTone("published", num_freqs=60, num_amps=3))


@pytest.fixture(scope="module")
def sound():
    return datasets.audit(SynTone("sound", num_freqs=60, num_amps=3))


def test_published_features_erase_amplitude(published):
    amplitude = published.factors[1]
    assert amplitude.indistinguishable == 1.0
    assert amplitude.median_distance < 1e-5
    assert amplitude.accuracy < 0.05
    assert not amplitude.passes
    assert amplitude.outcome == Outcome.ERASED
    assert not amplitude.carried
    assert "amplitude" in published.verdict


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
    assert f"{timbre.aliasing:.0%}" in timbre.verdict


def test_all_sound_factors_pass(sound):
    assert sound.passes
    for factor in sound.factors:
        assert factor.indistinguishable == 0.0
        assert 0 < factor.smallest_distance <= factor.median_distance
        assert not factor.aliasing
        assert factor.outcome == Outcome.KEPT


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
    assert pitch.outcome == Outcome.ERASED
    assert gain.indistinguishable == 0.0


def test_one_level_and_one_factor():
    data = Tones([Factor("one", [1.0]), Factor("pitch", np.arange(30))])
    one, pitch = datasets.audit(data).factors
    assert one.passes
    assert one.outcome == Outcome.TRIVIAL
    assert pitch.indistinguishable == 0.0
    alone = datasets.audit(Tones([Factor("pitch", np.arange(40))]))
    assert len(alone.factors) == 1


def test_sets_in_which_no_two_clips_are_neighbours():
    factors = [Factor("pitch", np.arange(40)), Factor("gain", np.arange(40))]
    diagonal = np.arange(40) * 41
    audit = datasets.audit(Tones(factors, diagonal))
    assert "no two clips" in audit.factors[0].verdict
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


class Rendering(Tones):
    """Features of any levels, with noise: each factor fares in another way."""

    feature_shape = (1, 4, 5)

    def __init__(self, noise=0.1, clips=1200):
        self.noise = noise
        self.space = FactorSpace(
            [
                Factor("plain", [0.0, 1.0], "continuous"),  # in the first feature
                Factor("faint", np.arange(5)),  # a thousandth of the noise
                Factor("erased", np.arange(5)),  # nowhere
                Factor("tangled", np.arange(7)),  # turned by something that no factor gives
                Factor("loudness", np.arange(4)),  # of the noise itself
                Factor("kind", np.arange(3), "categorical"),
                Factor("fixed", [3.0]),
            ]
        )
        self.rows = np.arange(clips)
        self.drawn = self.space.sample(clips, 0)

    def table(self, indices=None):
        return self.drawn if indices is None else self.drawn[indices]

    def features(self, indices):
        return self.features_at(self.table(indices), np.arange(len(self))[indices])

    def features_at(self, table, indices, *, draw=0):
        plain, faint, _, tangled, loudness, kind, _ = table.values.T
        x = np.zeros((len(table), 20))
        x[:, 0], x[:, 1], x[:, 2] = 30 * plain, 2e-3 * faint, (tangled + 3 * indices**2) % 7
        x[np.arange(len(x)), 3 + kind.astype(int)] += 9.0
        if draw is not None:
            for row, i in enumerate(indices):
                noise = np.random.default_rng((draw, i)).normal(size=20)
                x[row] += self.noise * 1.2 ** loudness[row] * (1 + kind[row] / 9) * noise
        return x.astype(np.float32).reshape(-1, 1, 4, 5)


@pytest.fixture(scope="module")
def rendered():
    return datasets.audit(Rendering(), pairs=150)


def test_rendered_pairs_tell_the_features_from_the_predictor(rendered):
    plain, faint, erased, tangled, loudness, kind, fixed = rendered.factors
    for found in (plain, kind):
        assert found.passes
        assert found.carried
        assert found.confused < 0.01
        assert found.outcome == Outcome.KEPT
    assert plain.measure == "R²"
    # Without noise, although the kind changes that, too, every pair is as far apart.
    assert kind.smallest_distance == pytest.approx(kind.median_distance, rel=1e-5)
    assert fixed.passes
    assert fixed.outcome == Outcome.TRIVIAL
    assert faint.indistinguishable == 0.0  # without noise every step shows
    assert 0.4 < faint.confused < 0.6
    assert not faint.carried
    assert faint.outcome == Outcome.HIDDEN
    assert erased.indistinguishable == 1.0
    assert erased.outcome == Outcome.ERASED
    assert tangled.accuracy < 0.2
    assert tangled.confused < 0.05
    assert tangled.carried
    assert tangled.outcome == Outcome.UNDETECTED
    assert loudness.indistinguishable == 0.0  # compared with its noise
    assert 0.1 < loudness.confused < 0.45  # 20 features hardly tell a step of 1.6 dB
    assert loudness.outcome == Outcome.HIDDEN
    assert "confused" in str(rendered)
    assert datasets.Audit.from_dict(rendered.to_dict()) == rendered


def test_cells_at_a_floor_do_not_deceive_the_classifier():
    """Noise lifts such a cell in a few draws, at one level a little oftener than at the other."""

    def render(level, clipped, draw):
        x = np.random.default_rng((draw, 1)).normal(size=(300, 430))
        x[:, 30:] += level
        x[:, :30] = np.maximum(x[:, :30] * (1 + 0.2 * level) - 1.5, 0.0) if clipped else 0.0
        return x.astype(np.float32)

    for clipped in (False, True):
        assert confused(partial(render, 0, clipped), partial(render, 1, clipped), 1e-4) < 0.02


def factor_audit(alike=0.0, passes=True, confused=None, trivial=False):
    return FactorAudit(
        "level", alike, 0.01, 0.01, 0.9, "R²", 0.0, None, passes, "", confused, trivial
    )


@pytest.mark.parametrize(
    ("measured", "outcome"),
    [
        (factor_audit(), Outcome.KEPT),
        (factor_audit(confused=0.1), Outcome.KEPT),
        (factor_audit(confused=0.3), Outcome.HIDDEN),  # although the predictor finds its range
        (factor_audit(confused=0.3, passes=False), Outcome.HIDDEN),
        (factor_audit(passes=False), Outcome.UNDETECTED),
        (factor_audit(alike=0.06, passes=False, confused=0.3), Outcome.ERASED),
        (factor_audit(trivial=True), Outcome.TRIVIAL),
    ],
)
def test_the_outcome_follows_from_the_measurements(measured, outcome):
    assert measured.outcome == outcome
    assert measured.hidden == (outcome == Outcome.HIDDEN)
    assert measured.carried == (outcome not in (Outcome.ERASED, Outcome.HIDDEN))
    assert sentence(measured, compared=True).startswith("Level ")


def test_the_verdict_of_all_names_the_factors_by_outcome():
    kept, hidden = factor_audit(), replace(factor_audit(confused=0.3), name="faint")
    assert paragraph([kept]).startswith("All 1 factors")
    assert paragraph([kept, hidden]).startswith("1 of 2 factors")
    assert f"{Outcome.HIDDEN}: faint" in paragraph([kept, hidden])


def test_without_noise_nothing_is_confused():
    audit = datasets.audit(Rendering(noise=0.0, clips=600).in_memory(), pairs=50)
    assert all(factor.confused is None for factor in audit.factors)
    assert "confused" not in str(audit)
    faint, loudness = audit.factors[1], audit.factors[4]
    assert faint.carried
    assert loudness.indistinguishable == 1.0


def test_a_set_of_other_features_is_not_asked_for_its_sources():
    data = datasets.Standardised(AdditiveToy("mel", clips=40).in_memory())
    audit = datasets.audit(data, pairs=5)
    assert "no two clips" in audit.factors[0].verdict


def test_a_sample_of_a_large_grid():
    data = AdditiveToy(
        "mel", clips=1000, f0=Factor("f0", [150, 900], "continuous"), phases="random",
        inharmonicity=0.0, snr_db=[10.0, 30.0],
    ).in_memory()  # fmt: skip
    filters = warnings.filters.copy()
    audit = datasets.audit(data, pairs=60)
    assert warnings.filters == filters
    f0, slope, harmonics, snr_db, decay = audit.factors
    for factor in audit.factors:
        assert factor.indistinguishable == 0.0
        assert "no two clips" not in factor.verdict
    for factor in (f0, harmonics, snr_db):
        assert factor.passes
        assert factor.confused < 0.05
    assert slope.median_distance < 0.05 < decay.median_distance < f0.median_distance
    assert slope.confused < 0.3
