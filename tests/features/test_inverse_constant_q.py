"""Back from the constant-Q transform: exactness, optimality, magnitudes met, and bad input."""

import itertools

import numpy as np
import pytest

from fastdis import _memory, synthesis
from fastdis.features import cqt, griffinlim_cqt, icqt
from fastdis.features.constant_q import operator as _constant_q_operator
from fastdis.features.constant_q import segments
from fastdis.features.constant_q.griffin_lim import Phases, fine_hop
from fastdis.features.constant_q.operator import nearest, operator_of
from fastdis.features.constant_q.plan import ConstantQSettings, plan_for
from fastdis.features.constant_q.segments import pieces

# To near half the sampling rate, at a hop below half of the shortest filter.
INVERTIBLE = {"sr": 8000, "fmin": 50.0, "hop_length": 16}
BINS = 76
COARSE = {"sr": 8000, "fmin": 100.0, "hop_length": 128}  # almost three of the shortest filters


def filters_for(samples, **options):
    return plan_for(ConstantQSettings(**options), samples, padded=False)


def tones(sample_rate, duration, f0=None, **options):
    """The report's: f0 from 100 to 1,000 Hz in steps of 50, 20 partials of falling amplitude."""
    f0 = np.arange(100, 1001, 50.0) if f0 is None else f0
    options = {"slope": -0.05, "sample_rate": sample_rate} | options
    partials = synthesis.harmonic_partials(f0, 20, **options)
    return synthesis.additive(partials, sample_rate=sample_rate, duration=duration)


def snr_db(y, found):
    error = np.square(found.astype(np.float64) - y).sum(axis=-1)
    return 10 * np.log10(np.square(y.astype(np.float64)).sum(axis=-1) / error)


def off(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


# --- the linear maps ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "options"),
    [(700, {"hop_length": 16}), (701, {"hop_length": 45, "scale": False, "norm": 2}),
     (300, {"hop_length": 512}), (600, {"hop_length": 7, "window": ("kaiser", 6.0)})],
    ids=str,
)  # fmt: skip
def test_analysis_is_cqt_and_has_its_adjoint(rng, samples, options):
    options = {"sr": 8000, "fmin": 200.0, "n_bins": 40} | options
    operator = operator_of(filters_for(samples, **options))
    y = rng.standard_normal(samples)
    C = operator.analyse(y)
    assert off(cqt(y, **options), C * operator.gain) < 1e-6
    D = rng.standard_normal(C.shape) + 1j * rng.standard_normal(C.shape)
    assert np.isclose((C.conj() * D).real.sum(), (y * operator.adjoint(D)).sum(), rtol=1e-12)
    other = rng.standard_normal(samples)
    assert np.isclose(other @ operator.divided(y), y @ operator.divided(other), rtol=1e-12)
    assert y @ operator.divided(y) > 0


def test_nearest_is_the_least_squares_solution(rng, monkeypatch):
    operator = operator_of(filters_for(240, sr=8000, fmin=400.0, n_bins=38, hop_length=16))
    columns = np.stack([operator.analyse(each).ravel() for each in np.eye(240)], axis=1)
    matrix = np.concatenate([columns.real, columns.imag])
    y = rng.standard_normal(240)
    C = operator.analyse(y)
    C = C + 0.1 * (rng.standard_normal(C.shape) + 1j * rng.standard_normal(C.shape)) * C.std()
    wanted = np.concatenate([C.real.ravel(), C.imag.ravel()])
    solution, *_ = np.linalg.lstsq(matrix, wanted)
    least = np.linalg.norm(matrix @ solution - wanted)
    monkeypatch.setattr(_constant_q_operator, "_FLAT", 1e-9)
    found = np.linalg.norm(matrix @ nearest(operator, C, 1000) - wanted)
    assert least <= found <= least * (1 + 1e-6)
    assert least > 0.05 * np.linalg.norm(wanted)  # there was something to disagree about


def test_frames_in_float64_are_inverted_beyond_float32(monkeypatch):
    monkeypatch.setattr(_constant_q_operator, "_FLAT", 1e-12)
    operator = operator_of(filters_for(1000, n_bins=BINS, **INVERTIBLE))
    y = tones(8000, 0.125, [300.0])[0].astype(np.float64)
    assert snr_db(y, nearest(operator, operator.analyse(y), 400)) > 120


# --- icqt -----------------------------------------------------------------------------------------

SOUNDS = [{}, {"inharmonicity": 0.01}, {"decay": 8.0, "inharmonicity": 0.001}, {"slope": -0.9}]


@pytest.mark.parametrize(("hop", "sound"), [*((16, each) for each in SOUNDS), (11, {})], ids=str)
def test_the_reports_tones_come_back(hop, sound):
    options = INVERTIBLE | {"hop_length": hop}
    y = tones(8000, 0.25, **sound)
    C = cqt(y, n_bins=BINS, **options)
    assert snr_db(y, icqt(C, length=2000, **options)).min() > 50
    some = icqt(C, **options)  # 2,000 or 1,991 samples
    assert some.shape[1] == options["hop_length"] * (C.shape[2] - 1)
    assert snr_db(y[:, : some.shape[1]], some).min() > 45


@pytest.mark.parametrize("sound", SOUNDS[1:3], ids=str)
def test_a_second_at_16_khz_comes_back(sound):
    options = {"sr": 16000, "fmin": 50.0, "hop_length": 16}
    y = tones(16000, 1.0, [100.0, 650.0], **sound)
    assert snr_db(y, icqt(cqt(y, n_bins=88, **options), length=16000, **options)).min() > 50


@pytest.mark.parametrize(
    "more",
    [{"norm": 2, "scale": False}, {"norm": None}, {"filter_scale": 0.7, "tuning": 0.4},
     {"bins_per_octave": 24, "n_bins": 151}, {"window": "blackmanharris"}],
    ids=str,
)  # fmt: skip
def test_any_filters_are_inverted(more):
    y = tones(8000, 0.25, [100.0, 650.0])
    options = INVERTIBLE | {key: value for key, value in more.items() if key != "n_bins"}
    C = cqt(y, n_bins=more.get("n_bins", BINS - 1), **options)
    assert snr_db(y, icqt(C, length=2000, **options)).min() > 50


def test_noise_comes_back_where_there_are_filters(rng):
    noise = rng.standard_normal((3, 2000))
    frequency = np.fft.rfftfreq(2000, 1 / 8000)
    heard = np.clip((frequency - 60) / 15, 0, 1) * np.clip((3720 - frequency) / 190, 0, 1)
    within = np.fft.irfft(np.fft.rfft(noise) * heard)
    for y, least, most in ((within, 55, 200), (noise, 15, 40)):
        found = icqt(cqt(y, n_bins=BINS, **INVERTIBLE), length=2000, **INVERTIBLE)
        snr = snr_db(y, found)
        assert least < snr.min()
        assert snr.max() < most


@pytest.mark.parametrize(
    ("samples", "options", "bins"),
    [(16000, {"sr": 16000}, 60), (2000, COARSE, 60), (22050, {}, 84),
     (700, {"sr": 8000, "fmin": 100.0, "hop_length": 1000}, 60)],
    ids=str,
)  # fmt: skip
def test_at_a_large_hop_a_clip_with_these_frames_is_found(rng, samples, options, bins):
    y = rng.standard_normal((2, samples))
    C = cqt(y, n_bins=bins, **options)
    found = icqt(C, length=samples, **options)
    assert off(cqt(found, n_bins=bins, **options), C) < 0.01
    assert (np.linalg.norm(found, axis=1) < np.linalg.norm(y, axis=1)).all()


def test_every_level_and_silence():
    y = tones(8000, 0.25, [300.0])
    C = cqt(y, n_bins=BINS, **INVERTIBLE)
    found = icqt(C, **INVERTIBLE)
    for scale in (2.0**-80, 2.0**80):
        np.testing.assert_array_equal(icqt(C * np.float32(scale), **INVERTIBLE), found * scale)
    assert (icqt(0 * C, **INVERTIBLE) == 0).all()
    assert icqt(C[:0], **INVERTIBLE).shape == (0, 2000)


# --- long clips -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "hop", "reach"),
    [(10**6, 16, 4000), (10**6, 512, 4000), (10**6 + 77, 100, 20000), (10**6, 2**15, 10),
     (300001, 1, 0)],
)  # fmt: skip
def test_pieces_sum_to_the_whole(samples, hop, reach):
    made = pieces(samples, hop, reach)
    assert len(made) > 1
    total = np.zeros(1 + samples // hop)
    for piece in made:
        assert len(piece.weight) == 1 + piece.samples // hop
        total[piece.first :][: len(piece.weight)] += piece.weight
    np.testing.assert_allclose(total, 1, atol=1e-12)
    for piece, after_next in itertools.pairwise(made[::2]):
        assert piece.first * hop + piece.samples <= after_next.first * hop
    assert made[-1].first * hop + made[-1].samples == samples


def test_long_clips_come_back_in_pieces(monkeypatch):
    y = tones(8000, 1.3, [100.0, 400.0], decay=3.0)
    options = INVERTIBLE | {"fmin": 90.0}
    C = cqt(y, n_bins=65, **options)
    whole = icqt(C, length=10400, **options)
    monkeypatch.setattr(segments, "_PIECE", 2048)
    monkeypatch.setattr(segments, "_PER_FADE", 2)
    assert len(pieces(10400, 16, ConstantQSettings(n_bins=65, **options).reach)) >= 3
    found = icqt(C, length=10400, **options)
    assert (found != whole).any()
    assert snr_db(y, found).min() > 50


# --- griffinlim_cqt -------------------------------------------------------------------------------


def convergence(found, magnitude, **options):
    """Spectral convergence (Sturmel & Daudet 2011) of each clip: 0 where magnitudes are met."""
    again = np.abs(cqt(found, n_bins=magnitude.shape[1], **options))
    return np.linalg.norm(again - magnitude, axis=(1, 2)) / np.linalg.norm(magnitude, axis=(1, 2))


@pytest.mark.parametrize("sound", SOUNDS[:3], ids=str)
def test_griffinlim_meets_the_magnitudes_of_tones(sound):
    y = tones(8000, 0.25, **sound)
    C = np.abs(cqt(y, n_bins=60, **COARSE))
    off_by = convergence(griffinlim_cqt(C, length=2000, random_state=0, **COARSE), C, **COARSE)
    assert off_by.max() < 0.15
    assert np.median(off_by) < 0.08


@pytest.mark.parametrize("options", [INVERTIBLE, COARSE | {"hop_length": 127}], ids=str)
@pytest.mark.parametrize("more", [{}, {"init": None, "momentum": 0.5, "n_iter": 50}], ids=str)
def test_griffinlim_at_other_hops(options, more):
    y = tones(8000, 0.25, [300.0, 700.0])
    C = np.abs(cqt(y, n_bins=60, **options))
    found = griffinlim_cqt(C, random_state=0, **options, **more)
    assert found.shape == (2, options["hop_length"] * (C.shape[2] - 1))
    C = np.abs(cqt(y[:, : found.shape[1]], n_bins=60, **options))
    assert convergence(found, C, **options).max() < 0.25


def test_the_fine_hop_divides_the_asked_if_it_can():
    asked = [
        filters_for(2000, n_bins=60, **COARSE | {"hop_length": hop}) for hop in (16, 128, 127, 66)
    ]
    assert asked[0].lengths[-1] // 2 == 22
    assert [fine_hop(each) for each in asked] == [16, 16, 22, 22]


def test_between_frames_a_steady_tone_has_its_magnitudes():
    asked, fine = (
        operator_of(filters_for(2000, n_bins=60, **COARSE | {"hop_length": hop}))
        for hop in (128, 16)
    )
    for k in (5, 30, 59):  # filters longer than the clip, and shorter than the hop
        y = np.sin(2 * np.pi * asked.plan.frequencies[k] / 8000 * np.arange(2000))
        magnitude, expected = np.abs(asked.analyse(y)), np.abs(fine.analyse(y))
        found = Phases(asked, fine, "hann")._interpolated(magnitude)
        assert np.abs(found[k] - expected[k]).max() < 0.05 * expected[k].max()


def test_griffinlim_belongs_to_the_seed_and_not_to_the_batch(threads):
    C = np.abs(cqt(tones(8000, 0.25), n_bins=60, **COARSE))
    options = COARSE | {"n_iter": 2, "length": 2000}
    threads(1)
    alone = [griffinlim_cqt(each, random_state=5, **options) for each in C[::6]]
    threads(3)
    batch = griffinlim_cqt(C, random_state=5, **options)
    np.testing.assert_array_equal(batch[::6], alone)
    assert (griffinlim_cqt(C[0], random_state=6, **options) != alone[0]).any()
    rng, again = np.random.default_rng(1), np.random.default_rng(1)
    drawn = griffinlim_cqt(C[:3], random_state=rng, **options)
    one_by_one = [griffinlim_cqt(each, random_state=again, **options) for each in C[:3]]
    np.testing.assert_array_equal(drawn, one_by_one)
    assert (griffinlim_cqt(C[0], **options) != griffinlim_cqt(C[0], **options)).any()


def test_griffinlim_at_every_level_and_for_silence():
    C = np.abs(cqt(tones(8000, 0.25, [300.0]), n_bins=60, **COARSE))
    found = griffinlim_cqt(C, random_state=0, **COARSE)
    for scale in (2.0**-80, 2.0**80):
        scaled = griffinlim_cqt(C * np.float32(scale), random_state=0, **COARSE)
        np.testing.assert_array_equal(scaled, found * scale)
    assert (griffinlim_cqt(0 * C, random_state=0, **COARSE) == 0).all()


# --- bad input ------------------------------------------------------------------------------------

GOOD = np.ones((60, 16), np.float32)


@pytest.mark.parametrize("function", [icqt, griffinlim_cqt])
@pytest.mark.parametrize(
    ("C", "options", "error", "message"),
    [
        (np.full((60, 16), np.nan), {}, ValueError, "C takes finite values, got"),
        (np.ones(60), {}, ValueError, r"C takes 2 or 3 dimension\(s\)"),
        (np.ones((80, 16)), {}, ValueError, "^C takes frames of fewer bins: n_bins takes at most"),
        (np.ones((0, 16)), {}, ValueError, "C takes frames of 1 to 1048576 bins, got 0"),
        (np.ones((2**20 + 1, 2)), {}, ValueError, "C takes frames of 1 to .*, got 1048577"),
        (np.ones((60, 0)), {}, ValueError, "C takes at least 2 frames where .* got 0"),
        (np.ones((60, 1)), {}, ValueError, "C takes at least 2 frames where .* got 1"),
        (GOOD, {"length": 1919}, ValueError, "length takes a clip of 16 frames, got 1919 samples"),
        (GOOD, {"length": 2048}, ValueError, "length takes a clip of 16 .*, which have 17"),
        (GOOD, {"length": 0}, ValueError, "length takes an integer >= 1"),
        (GOOD, {"length": 2000.0}, TypeError, "length takes an integer >= 1"),
        (GOOD, {"hop_length": 0}, ValueError, "hop_length takes an integer >= 1"),
        (GOOD, {"fmin": 5000.0}, ValueError, "^fmin takes at most"),
        (GOOD, {"window": "hanned"}, ValueError, "window takes a name"),
        (GOOD, {"scale": 1}, TypeError, "scale takes True or False"),
        (1e29 * GOOD, {"norm": 0.2}, ValueError, "C takes values whose audio float32 holds"),
    ],
)
def test_bad_input(function, C, options, error, message):
    with pytest.raises(error, match=message):
        function(C + 0j if function is icqt else C, **COARSE | options)


def test_magnitudes_are_not_inverted_as_if_they_were_frames():
    with pytest.raises(TypeError, match=r"C takes complex frames.*griffinlim_cqt"):
        icqt(GOOD, **COARSE)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"C": -GOOD}, ValueError, "C takes values >= 0"),
        ({"C": GOOD + 0j}, TypeError, "C takes real numbers"),
        ({"n_iter": -1}, ValueError, "n_iter takes an integer >= 0"),
        ({"momentum": 1.5}, ValueError, "momentum takes a number >= 0"),
        ({"init": "zeros"}, ValueError, "init takes one of 'random'"),
        ({"random_state": -1}, ValueError, "random_state takes an integer >= 0"),
    ],
)
def test_bad_magnitudes_and_phases(options, error, message):
    with pytest.raises(error, match=message):
        griffinlim_cqt(**{"C": GOOD} | COARSE | options)


@pytest.mark.parametrize("function", [icqt, griffinlim_cqt])
def test_clips_beyond_memory_are_refused(function, monkeypatch):
    monkeypatch.setattr(_memory, "available", lambda: 1e9)
    options = {"sr": 8000, "hop_length": 2**24}
    with pytest.raises(MemoryError, match=r"C: a clip of .* samples takes"):
        function(np.ones((40, 100), np.complex64 if function is icqt else np.float32), **options)
