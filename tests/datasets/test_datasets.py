"""SynTone to the letter and mended; its features, sound and options."""

import librosa
import numpy as np
import pytest

from fastdis import datasets
from fastdis.datasets import SynTone
from tests.studies.syntone_reference import reference_generator


def test_published_is_the_reference_to_the_letter():
    data = SynTone("published", num_freqs=3, num_amps=2)
    rows, expected = reference_generator(16000, np.linspace(440, 8000, 3), np.linspace(0.1, 1, 2))
    table = data.table()
    assert [(f, a, data.space.factors[2].labels[int(w)]) for f, a, w in table.values] == rows
    audio = data.audio(slice(None))
    differs = np.abs(audio - expected) > 1e-5
    assert differs.mean() < 1e-4  # at a jump, rounding chooses the side
    mel = [librosa.feature.melspectrogram(y=clip, sr=16000) for clip in audio.astype(np.float64)]
    features = np.stack([librosa.util.normalize(m) for m in mel])[:, None]
    assert np.abs(data.features(slice(None)) - features).max() < 1e-5


def test_published_features_erase_amplitude(small_published):
    features = small_published.features(slice(None)).reshape(4, 4, 4, -1)
    assert np.abs(features - features[:, :1]).max() < 1e-5
    sound = SynTone("sound", num_freqs=2, num_amps=4).features(slice(None)).reshape(2, 4, 4, -1)
    step = np.diff(sound.max(axis=3), axis=1)
    assert step.min() > 0.02


def test_sound_features_scale_is_the_sets_and_not_the_clips():
    data = SynTone("sound")
    loudest = data.table().values
    rows = np.flatnonzero(loudest[:, 1] == 0.8)[::37]
    features = data.features(rows)
    assert 0.85 < features.max() <= 1.0
    assert features.min() == 0.0
    quiet = data.features(data.space.index_of([[100, 0, 1]]))
    loud = data.features(data.space.index_of([[100, 19, 1]]))
    both = (quiet > 0.2) & (loud < 1.0)
    assert np.allclose((loud - quiet)[both], 20 * np.log10(8) / 80, atol=1e-3)


def test_a_clip_is_a_function_of_its_index(small_sound):
    data = small_sound.source
    whole = data.features(slice(None))
    assert np.array_equal(data.features([63, 5, 5]), whole[[63, 5, 5]])
    features, values = data.batch(np.array([7, 8]))
    assert np.array_equal(features, whole[7:9])
    assert np.array_equal(values, data.table([7, 8]).values)
    assert np.array_equal(small_sound.features([7, 8]), whole[7:9])
    assert data.features([]).shape == (0, 1, 128, 32)
    assert datasets.build(data.options()).options() == data.options()


def test_other_lengths_and_rates():
    data = SynTone("sound", sample_rate=8000, duration=0.25, num_freqs=2, num_amps=1)
    assert data.audio([0]).shape == (1, 2000)
    assert data.features([0]).shape == (1, *data.feature_shape) == (1, 1, 128, 4)


@pytest.mark.parametrize("variant", ["published", "sound"])
def test_features_can_be_heard(variant):
    data = SynTone(variant, num_freqs=4, num_amps=2)
    row = int(data.space.index_of([[1, 1, 0]])[0])  # a sine, the louder one
    audio = data.to_audio(data.features([row]))
    assert audio.shape == (1, 16000)
    assert np.abs(audio).max() <= 1.0
    peak = np.abs(np.fft.rfft(audio[0] * np.hanning(16000))).argmax()
    # Within a mel band: the features hold no more.
    assert abs(peak - data.table([row])["frequency"][0]) < 60
    if variant == "sound":
        level = np.sqrt(2) * audio[0, 4000:12000].std()
        assert level == pytest.approx(data.table([row])["amplitude"][0], rel=0.35)


def test_describe(small_sound):
    assert small_sound.describe(3) == "440 Hz, amplitude 0.1, square"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "publishd"}, "did you mean 'published'"),
        ({"freq_end": 8000.5}, "freq_end takes"),
        ({"freq_start": -1.0}, "freq_start takes"),
        ({"freq_start": 500.0, "freq_end": 400.0}, "freq_end takes a number above"),
        ({"amp_start": float("nan")}, "amp_start takes a finite"),
        ({"amp_end": 1.5}, "amp_end takes"),
        ({"variant": "sound", "amp_end": 1.0}, "amp_end takes"),
        ({"num_freqs": 0}, "num_freqs takes"),
        ({"num_amps": 0}, "num_amps takes"),
        ({"sample_rate": 0}, "sample_rate takes"),
        ({"duration": 0.0}, "duration takes"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        SynTone(**options)


def test_sound_warns_where_timbre_is_lost():
    with pytest.warns(UserWarning, match="third harmonic"):
        SynTone("sound", freq_end=3000.0)


def test_one_clip_and_one_factor():
    data = SynTone("sound", num_freqs=1, num_amps=1)
    assert len(data) == 4
    assert data.features([2]).shape == (1, 1, 128, 32)
    with pytest.raises(IndexError, match="from 0 to 3"):
        data.batch([4])
