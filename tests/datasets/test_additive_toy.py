"""The additive toy: its formula, its labels, its ratios, and every bad combination refused."""

import itertools
import json

import numpy as np
import pytest

from benchmarks import stream
from fastdis import Factor, adsr, datasets
from fastdis.datasets import AdditiveToy
from fastdis.datasets.additive_toy.factors import loudest

SMALL = {"f0": [150, 400], "slope": [-0.2, -0.8], "decay": [0.0, 8.0], "inharmonicity": [0, 0.01]}
REPRESENTATIONS = ("waveform", "spectrogram", "mel", "cqt")


def report(f0, B, slope, harmonics, decay, n_partials=20, rate=8000, samples=2000):
    """Equations 1 and 2 of the report, a clip of one gain."""
    t, sound = np.arange(samples) / rate, np.zeros(samples)
    for n in range(1, n_partials + 1):
        if (harmonics == "even" and n % 2) or (harmonics == "odd" and n % 2 == 0):
            continue
        frequency = n * f0 * np.sqrt(1 + (n**2 - 1) * B)
        if frequency < rate / 2:
            amplitude = 1 + slope * (n - 1) / n_partials
            sound += amplitude * np.exp(-decay * t) * np.sin(2 * np.pi * frequency * t)
    return 0.5 / n_partials * sound


def test_the_default_grid_is_the_reports():
    data = AdditiveToy()
    assert data.space.names == ("f0", "inharmonicity", "slope", "harmonics", "snr_db", "decay")
    f0, stiffness, slope, harmonics, _, decay = data.space.factors
    assert np.array_equal(f0.values, np.arange(100, 1001, 50))
    assert (stiffness.values.min(), stiffness.values.max()) == (0.0, 0.01)
    assert (slope.values.min(), slope.values.max()) == (-0.9, -0.1)
    assert harmonics.labels == ("all", "even", "odd")
    assert harmonics.kind == "categorical"
    assert (decay.values.min(), decay.values.max()) == (0.0, 10.0)
    assert len(data) == data.space.size == 19 * 5 * 5 * 3 * 5 * 5
    assert data.fixed == {
        "damping": 0, "attack": 0, "decay_time": 0, "sustain": 1, "release": 0
    }  # fmt: skip
    assert data.describe(len(data) - 1) == (
        "1,000 Hz, inharmonicity 0.01, slope -0.9, odd, 40 dB, 10 1/s"
    )


def test_clips_are_the_reports_equations():
    data = AdditiveToy("waveform", snr_db=np.inf, f0=[100, 550, 1000], clips=200, seed=3)
    table = data.table()
    clips = data.audio(slice(None))
    for clip, (f0, B, slope, harmonics, decay) in zip(clips, table.values, strict=True):
        expected = report(f0, B, slope, ("all", "even", "odd")[int(harmonics)], decay)
        assert np.abs(clip - expected).max() < 1e-6
    assert np.array_equal(data.features(slice(None)), clips[:, None, None])


def test_damping_and_the_envelope():
    data = AdditiveToy(
        "waveform", **SMALL, snr_db=None, harmonics="all", damping=[0, 5.0], attack=[0.0, 0.05],
        decay_time=0.05, sustain=0.5, release=[0.05, 0.1],
    )  # fmt: skip
    assert data.space.names[-3:] == ("damping", "attack", "release")
    row = int(data.space.index_of([[1, 1, 0, 1, 1, 1, 0]])[0])
    partials = data.partials([row])
    ratio = partials.frequency[0] / 400
    assert np.allclose(partials.decay[0], 8 + 5 * (ratio - 1))
    t = np.arange(2000) / 8000
    loud = partials.amplitude[0][:, None] * np.exp(-partials.decay[0][:, None] * t)
    expected = (loud * np.sin(2 * np.pi * partials.frequency[0][:, None] * t)).sum(axis=0)
    expected *= adsr(0.05, 0.05, 0.5, 0.05, sample_rate=8000, duration=0.25)[0]
    assert np.abs(data.audio([row])[0] - expected).max() < 1e-6


@pytest.mark.parametrize("envelope", [{}, {"attack": 0.02, "release": [0.0, 0.1]}])
def test_the_ratio_is_exact_in_every_clip(envelope):
    levels = [-5.0, 0.0, 20.0, 60.0]
    noisy = AdditiveToy("waveform", snr_db=levels, clips=200, phases="random", **envelope)
    table = noisy.table()
    sound = noisy.features_at(table, slice(None), draw=None)[:, 0, 0].astype(np.float64)
    noise = noisy.audio(slice(None)) - sound
    ratio = 10 * np.log10((sound**2).sum(axis=1) / (noise**2).sum(axis=1))
    assert np.abs(ratio - table["snr_db"]).max() < 0.002
    assert np.abs(noisy.audio(slice(None))).max() < 1.0
    correlation = np.corrcoef(noise)
    assert np.abs(correlation - np.eye(200)).max() < 0.15  # every clip has noise of its own


def test_a_clip_is_a_function_of_its_index(threads):
    for representation in REPRESENTATIONS:
        data = AdditiveToy(representation, clips=300, phases="random", seed=5)
        whole = data.features(slice(None))
        assert whole.shape == (300, *data.feature_shape)
        assert np.array_equal(data.features([299, 5, 5]), whole[[299, 5, 5]])
        threads(1)
        assert np.array_equal(data.features(slice(None)), whole)
        threads(2)
        longer = AdditiveToy(representation, clips=301, phases="random", seed=5)
        assert np.array_equal(longer.features([7]), whole[[7]])
        assert not np.array_equal(
            AdditiveToy(representation, clips=300, phases="random", seed=6).features([7]),
            whole[[7]],
        )
    grid = AdditiveToy("mel")
    assert np.array_equal(grid.table([30_000]).values, grid.space.grid([30_000]).values)
    assert grid.features([]).shape == (0, 1, 64, 16)


def test_representations_have_their_shapes_and_range():
    shapes = {"waveform": (1, 1, 2000), "spectrogram": (1, 129, 16), "mel": (1, 64, 16),
              "cqt": (1, 60, 16)}  # fmt: skip
    for name, shape in shapes.items():
        data = AdditiveToy(name, clips=64)
        x = data.features(slice(None))
        assert data.feature_shape == shape == x.shape[1:]
        assert x.min() >= (-1.0 if name == "waveform" else 0.0)
        assert x.max() <= 1.0
        assert x.std(axis=0).max() > 0.02
        assert np.array_equal(x, data.features_of(data.audio(slice(None))))
        assert len(data.frequencies) == (0 if name == "waveform" else shape[1])


@pytest.mark.parametrize("name", ["spectrogram", "mel", "cqt"])
def test_a_sine_of_amplitude_one_half_is_full_scale(name):
    data = AdditiveToy(name, f0=[100, 110], harmonics="all", n_partials=1, snr_db=None, slope=0.0,
                       decay=0.0, inharmonicity=0.0)  # fmt: skip
    x = data.features([0])[0, 0]
    assert x.max() == pytest.approx(1.0, abs=0.02)
    assert abs(data.frequencies[x.max(axis=1).argmax()] - 100) < 16
    tenth = data.features_of(data.audio([0]) / 10)[0, 0]  # 20 dB of 80
    loud = tenth > 0.1
    assert np.abs((x - tenth)[loud] - 0.25).max() < 0.002


def test_one_gain_for_the_whole_set():
    gains = [AdditiveToy(snr_db=snr).gain for snr in (None, 40.0, [0.0, 10.0])]
    assert gains == [0.025] * 3
    assert AdditiveToy(snr_db=[-20.0, 0.0]).gain < 0.01
    assert AdditiveToy(slope=[0.0, 1.0], snr_db=None).gain == 0.0125


def test_clips_of_partials_that_beat_stay_in_range():
    """Less than a period of f0: the partials add up, and so does the noise of a low ratio."""
    data = AdditiveToy("waveform", f0=[1, 2], snr_db=[-40, 0], slope=0.0, inharmonicity=0.0,
                       harmonics="all", decay=0.0)  # fmt: skip
    assert np.abs(data.audio(slice(None))).max() < 1.0


@pytest.mark.parametrize(
    ("P", "f0", "T", "rate"),
    [(20, 100, 2000, 8000), (20, 1, 2000, 8000), (7, 571, 100, 8000), (9, 444.3, 64, 8000),
     (1, 3900, 50, 8000), (30, 3, 999, 8000), (4, 999.99, 2000, 8000)],
)  # fmt: skip
def test_no_sum_of_partials_is_louder_than_the_bound(P, f0, T, rate):
    n, t = np.arange(1, P + 1), np.arange(T) / rate
    rng, bound = np.random.default_rng(0), loudest(P, f0, rate, T)
    found = []
    for B in (0.0, 1e-4, 1e-3, 1e-2, 0.1):
        frequency = n * f0 * np.sqrt(1 + (n * n - 1) * B)
        frequency = frequency[frequency < rate / 2]
        for decay in (0.0, 10.0):
            phase = np.concatenate([np.zeros((1, P)), rng.uniform(0, 7, (30, P))])
            angle = 2 * np.pi * frequency[:, None] * t + phase[:, : len(frequency), None]
            found.append(np.sqrt(np.square((np.sin(angle) * np.exp(-decay * t)).sum(1)).mean(1)))
    assert np.max(found) <= bound <= P
    assert np.max(found) > bound / 3  # nor is it of no use


def test_a_number_without_axes_is_one_number_and_an_array_of_names_a_list():
    data = AdditiveToy(f0=np.array(100.0), harmonics=np.array(["all", "even"]), clips=8,
                       snr_db=np.array(np.inf), slope=np.float32(-0.5))  # fmt: skip
    assert data.space.names == ("inharmonicity", "harmonics", "decay")
    assert (data.fixed["f0"], data.fixed["snr_db"], data.fixed["slope"]) == (100.0, np.inf, -0.5)
    assert data.space.factors[1].labels == ("all", "even")
    assert AdditiveToy(harmonics=np.array("odd")).fixed["harmonics"] == "odd"
    json.dumps(data.options(), allow_nan=False)
    with pytest.raises(ValueError, match="masked"):
        AdditiveToy(snr_db=np.ma.masked_array(3.0, mask=True))


@pytest.mark.parametrize(
    "options",
    [
        {"slope": [-25, -30, -0.5], "harmonics": ["all", "even"], "f0": [100.0, 200.0]},
        {"f0": [2000, 100], "slope": [-0.5, -25.0], "decay": [0.0, 1.0]},
        {"f0": [100, 1990], "inharmonicity": [0.0, 0.1, 0.2], "snr_db": [0.0, 5.0]},
        {"attack": [0.0, 0.1], "release": [0.1, 0.25, 0.3], "f0": [200.0, 300.0]},
        {"attack": [0.0, 0.1], "release": [0.1, 0.2], "slope": [-19.0, 0.5]},
        {"f0": [100, 1990], "inharmonicity": [0.0, 0.001]},
        {"f0": [3999.0], "slope": [-0.5, -25.0], "harmonics": ["all", "odd"]},
        {"f0": [4000.0], "harmonics": ["odd"]},
    ],
)
def test_a_grid_is_refused_if_any_clip_of_it_is_silent(options):
    """Against all clips of the grid, one by one, by the formulas."""
    levels = {"f0": [300], "inharmonicity": [0.0, 0.01], "slope": [-0.5], "snr_db": [0.0],
              "harmonics": ["all", "even", "odd"], "decay": [0.0], "attack": [0.0],
              "release": [0.0]}  # fmt: skip
    levels.update(options)
    order = ("f0", "inharmonicity", "slope", "harmonics", "snr_db", "decay", "attack", "release")
    kept = {"all": np.arange(1, 21), "even": np.arange(2, 21, 2), "odd": np.arange(1, 21, 2)}
    silent = False
    for f0, B, slope, harmonics, _, _, attack, release in itertools.product(
        *(levels[name] for name in order)
    ):
        n = kept[harmonics]
        silent |= bool((1 + slope * (n - 1) / 20 <= 0).all())
        silent |= bool((n * f0 * np.sqrt(1 + (n**2 - 1) * B) >= 4000).all())
        silent |= attack > 0 and release >= 0.25
    if silent:
        with pytest.raises(ValueError, match="take values"):
            AdditiveToy(**levels)
    else:
        assert len(AdditiveToy(**levels))


def test_levels_of_no_drawn_clip_are_refused_too():
    with pytest.raises(ValueError, match="got slope -25, harmonics 'even'"):
        AdditiveToy(clips=1, slope=[-0.1, -25.0], snr_db=None, seed=3)


def test_a_factor_of_many_levels_takes_no_memory_to_check():
    many = {"f0": np.linspace(100, 2100, 20_000), "inharmonicity": np.linspace(0, 0.01, 20_000)}
    with pytest.raises(ValueError, match="got f0 2100, inharmonicity 0, harmonics 'even'"):
        AdditiveToy(**many)


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_features_can_be_heard(name):
    data = AdditiveToy(name, **SMALL, snr_db=None, harmonics="all")
    row = int(data.space.index_of([[1, 0, 0, 0]])[0])
    heard = data.to_audio(data.features([row]))
    assert heard.shape == (1, 2000)
    assert np.abs(heard).max() <= 1.0
    again = data.features_of(heard)
    original = data.features([row])
    assert np.abs(again - original)[np.abs(original) > 0.1].mean() < 0.05
    for wrong in (original[:, :, 1:] if name != "waveform" else original[..., 1:],
                  original[..., :-1], original[:, [0, 0]]):  # fmt: skip
        with pytest.raises(ValueError, match=r"features takes shape \(B, 1, "):
            data.to_audio(wrong)


def test_phases():
    zero = AdditiveToy("waveform", clips=50)
    assert not zero.partials(slice(None)).phase.any()
    random = AdditiveToy("waveform", clips=5000, phases="random", n_partials=6, seed=1)
    phase = random.partials(slice(None)).phase
    assert phase.min() >= 0.0
    assert phase.max() < 2 * np.pi
    counts = np.histogram(phase, 16, (0, 2 * np.pi))[0]
    assert np.abs(counts / phase.size * 16 - 1).max() < 0.06
    assert np.abs(np.corrcoef(phase.T) - np.eye(6)).max() < 0.06
    assert np.array_equal(random.partials([4999]).phase, phase[4999:])
    assert np.abs(np.corrcoef(phase[:500])[~np.eye(500, dtype=bool)].mean()) < 0.01


def test_options_make_the_same_set_again():
    given = [
        {"clips": 9, "correlation": {("f0", "decay"): 0.5}, "snr_db": None, "phases": "random"},
        {"clips": 9, "correlation": [("f0", "snr_db", np.float32(0.5))]},
        {"f0": Factor("f0", [200, 900], "continuous"), "clips": 9, "harmonics": ["odd", "all"]},
        {"snr_db": 20.0, "harmonics": "odd", "slope": [-0.5], "release": [0.0, 0.1], "seed": 2},
        {"sample_rate": 16000, "duration": 0.1, "n_partials": 5, "clips": 9},
    ]
    for options in given:
        data = AdditiveToy("waveform", **options)
        options = json.loads(json.dumps(data.options(), allow_nan=False))
        again = datasets.build(options)
        assert again.options() == data.options() == options
        assert again.space == data.space
        assert np.array_equal(again.features([3, 8]), data.features([3, 8]))


def test_continuous_factors_and_correlations():
    f0 = Factor("f0", [200.0, 900.0], "continuous")
    data = AdditiveToy("mel", f0=f0, clips=4000, correlation=[("f0", "decay", 0.8)])
    values = data.table().values
    assert 200 <= values[:, 0].min() < 210 < 890 < values[:, 0].max() <= 900
    assert len(np.unique(values[:, 0])) == 4000
    assert data.space.factors[0].unit == "Hz"
    assert 0.7 < np.corrcoef(values[:, 0], values[:, 5])[0, 1] < 0.85
    assert abs(np.corrcoef(values[:, 0], values[:, 2])[0, 1]) < 0.06


def test_only_the_factor_differs_in_features_at():
    data = AdditiveToy("waveform", clips=50, phases="random")
    rows = np.arange(20)
    table = data.table(rows)
    assert np.array_equal(data.features_at(table, rows), data.features(rows))
    levels = table.levels.copy()
    levels[:, 4] = 0  # the noisiest
    there = data.space.grid(data.space.index_of(levels))
    noise = [
        data.features_at(each, rows) - data.features_at(each, rows, draw=None)
        for each in (table, there)
    ]
    scaled = [x / np.abs(x).max(axis=3, keepdims=True) for x in noise]
    assert np.abs(scaled[0] - scaled[1]).max() < 2e-3  # the same noise at another level
    grid = AdditiveToy("waveform")
    wanted = [35_000, 12, 7]
    shown = grid.features_at(grid.table(wanted), [0, 1, 2], draw=None)
    there = grid.features_at(grid.table(wanted), wanted, draw=None)
    assert np.array_equal(shown, there)  # without phases and noise a clip is its factors
    other = data.features_at(table, rows, draw=1) - data.features_at(table, rows, draw=None)
    another = data.features_at(table, rows, draw=2) - data.features_at(table, rows, draw=None)
    for a, b in ((other, noise[0]), (other, another)):
        assert abs(np.corrcoef(a[3].ravel(), b[3].ravel())[0, 1]) < 0.1
    with pytest.raises(ValueError, match="one row for each of 2 clips"):
        data.features_at(table, [0, 1])
    with pytest.raises(ValueError, match="table takes rows of"):
        data.features_at(AdditiveToy(clips=20, decay=1.0).table(), rows)


def test_shards_hold_the_same(tmp_path):
    data = AdditiveToy("mel", clips=40, f0=Factor("f0", [200, 900], "continuous"), phases="random")
    datasets.write_shards(data, tmp_path, rows_per_shard=16)
    stored = datasets.open_shards(tmp_path)
    assert np.array_equal(stored.features(slice(None)), data.features(slice(None)))
    assert stored.table() == data.table()
    assert stored.source.options() == data.options()
    assert np.array_equal(stored.audio([5]), data.audio([5]))


def test_a_stream_gives_the_clips_of_their_indices():
    data = AdditiveToy("waveform", clips=3000)
    seconds, rows, features, labels = stream.stream(data, batch=512, kept=40)
    assert seconds > 0
    assert len(rows) > 30
    assert stream.again(data, rows, features, labels) == 0
    features[3, 0, 0, 1000] += 1e-7
    assert stream.again(data, rows, features, labels) == 1


def test_a_table_takes_72_bytes_a_clip_and_a_grid_none():
    drawn = AdditiveToy("waveform", clips=1000).table()
    assert drawn.values.nbytes + drawn.levels.nbytes == 72_000
    wide = {"f0": np.linspace(100, 1000, 9001), "decay": np.linspace(0, 10, 9001)}
    huge = AdditiveToy("waveform", **wide)  # 1.3e12 clips
    assert len(huge) == 9001 * 5 * 5 * 3 * 5 * 9001
    last = len(huge) - 1
    assert np.array_equal(huge.table([last]).values[0], [f.values[-1] for f in huge.space.factors])
    assert huge.features([last]).shape == (1, 1, 1, 2000)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"inharmonicity": -0.1}, ValueError, "inharmonicity takes values in"),
        ({"inharmonicity": [0.0, -1e-9]}, ValueError, "inharmonicity .* at index 1"),
        ({"decay": [-1.0]}, ValueError, "decay takes values in"),
        ({"damping": -1.0}, ValueError, "damping takes values in"),
        ({"sustain": 1.5}, ValueError, "sustain takes values in"),
        ({"f0": 4500.0}, ValueError, "f0 takes values in"),
        ({"f0": 0.0}, ValueError, "f0 takes values in"),
        ({"f0": np.nan}, ValueError, "f0 takes a finite"),
        ({"f0": [4000], "harmonics": "odd"}, ValueError, "below sample_rate / 2 = 4000 Hz"),
        ({"f0": [500, 2000]}, ValueError,
         "got f0 2000, inharmonicity 0, harmonics 'even'$"),
        ({"f0": [500, 1990], "inharmonicity": [0, 0.1], "harmonics": ["even"]}, ValueError,
         "got f0 1990, inharmonicity 0.1, harmonics 'even'$"),
        ({"f0": Factor("f0", [500, 2000], "continuous"), "clips": 9}, ValueError,
         "got f0 2000, inharmonicity 0, harmonics 'even'$"),
        ({"f0": [4000 - 1e-9], "slope": [0.0, 1.0], "harmonics": "odd", "inharmonicity": 0.0},
         ValueError, "got f0 4000, inharmonicity 0, harmonics 'odd'$"),
        ({"slope": [-0.1, -25.0]}, ValueError,
         "one of its 20 partials, got slope -25, harmonics 'even'$"),
        ({"slope": [-25, -30, -0.5], "harmonics": ["all", "even"]}, ValueError,
         "got slope -30, harmonics 'even'$"),
        ({"slope": -20.0, "harmonics": "even"}, ValueError, "got slope -20, harmonics 'even'"),
        ({"n_partials": 1}, ValueError, "one of its 1 partials, got slope -0.9, harmonics 'even'$"),
        ({"snr_db": -np.inf}, ValueError,
         "a ratio from -100 to 300 dB, or inf by itself for a clean set, got -inf: there is no"),
        ({"snr_db": np.array(-np.inf)}, ValueError, "got -inf: there is no"),
        ({"snr_db": [0.0, -np.inf]}, ValueError, "or a list of such ratios, got -inf among"),
        ({"snr_db": np.nan}, ValueError, "snr_db takes a finite number, got nan"),
        ({"snr_db": [0.0, np.inf]}, ValueError, "inf by itself for a clean set, or .* got inf"),
        ({"snr_db": [0.0, np.nan]}, ValueError, "snr_db takes finite"),
        ({"snr_db": 301.0}, ValueError, "snr_db takes values in"),
        ({"sustain": 0.0}, ValueError, "whose envelope lasts"),
        ({"attack": [0.0, 0.1], "release": [0.1, 0.25]}, ValueError,
         "got attack 0.1, decay_time 0, sustain 1, release 0.25$"),
        ({"f0": []}, ValueError, "f0 takes at least one level, got an empty list"),
        ({"harmonics": []}, ValueError, r"harmonics takes .* not empty"),
        ({"snr_db": []}, ValueError, "snr_db takes at least one level"),
        ({"f0": [200, 200]}, ValueError, "'f0' takes distinct levels"),
        ({"f0": [[200]]}, ValueError, r"f0 takes 1 dimension"),
        ({"f0": None}, TypeError, "f0 takes a number"),
        ({"f0": ["a"]}, TypeError, "f0 takes a number, a list of numbers or a Factor"),
        ({"f0": Factor("pitch", [200, 300])}, ValueError, "one named 'pitch'"),
        ({"f0": {"name": "f0"}}, TypeError, "f0 takes the dict of a Factor"),
        ({"harmonics": "evn"}, ValueError, "did you mean 'even'"),
        ({"harmonics": ["all", "all"]}, ValueError, "'harmonics' takes distinct"),
        ({"harmonics": 2}, ValueError, "harmonics takes one of"),
        ({"harmonics": Factor("harmonics", [0, 1], "continuous"), "clips": 3}, ValueError,
         "harmonics takes names, got a continuous"),
        ({"representation": "cqtt"}, ValueError, "did you mean 'cqt'"),
        ({"sample_rate": 4000}, ValueError,
         "sample_rate takes 6303 to 96801365 Hz for representation 'cqt', got 4000"),
        ({"sample_rate": 10**8}, ValueError, "sample_rate takes 6303 to .*'cqt', got 100000000"),
        ({"phases": "any"}, ValueError, "phases takes one of"),
        ({"clips": 0}, ValueError, "clips takes an integer >= 1"),
        ({"clips": 9.0}, TypeError, "clips takes an integer"),
        ({"seed": -1}, ValueError, "seed takes an integer"),
        ({"n_partials": 0}, ValueError, "n_partials takes"),
        ({"duration": 0.0}, ValueError, "duration takes"),
        ({"f0": Factor("f0", [200, 900], "continuous")}, ValueError,
         "clips takes how many to draw, as f0 is continuous"),
        ({"correlation": {("f0", "decay"): 0.5}}, ValueError,
         "clips takes how many to draw, as a correlation"),
        ({"correlation": {("f0", "f0"): 0.5}, "clips": 3}, ValueError, "pairs of two factors"),
        ({"correlation": {("f0", "damping"): 0.5}, "clips": 3}, ValueError, "'damping'"),
        ({"correlation": ["f0", "decay"], "clips": 3}, TypeError, "correlation takes a dict"),
        ({"correlation": {"f0": 0.5}, "clips": 3}, ValueError, "correlation"),
        ({"correlation": {7: 0.5}, "clips": 3}, TypeError, "correlation takes a dict"),
        ({"correlation": {("f0", "decay"): "x"}, "clips": 3}, TypeError, "takes a number"),
        ({"f0": 200.0, "inharmonicity": 0.0, "slope": -0.5, "harmonics": "all", "snr_db": 10.0,
          "decay": 1.0}, ValueError, "take a list or a factor at least once"),
        ({"f0": np.linspace(100, 900, 10**4), "slope": np.linspace(-0.9, 0, 10**4),
          "decay": np.linspace(0, 9, 10**4), "inharmonicity": np.linspace(0, 0.01, 10**4),
          "snr_db": np.linspace(0, 9, 10**4)}, ValueError, "clips takes how many to draw of"),
    ],
)  # fmt: skip
def test_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        AdditiveToy(**options)
