"""The published convention against an oracle: each metric as the published evaluation called it.

The oracle takes (factors, codes) as its signatures said, and is called with the codes first, as
the published evaluation did. It shares nothing with the package.
"""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.preprocessing import minmax_scale

import fastdis as fd
from fastdis import metrics
from fastdis.metrics import PUBLISHED_BINS, MetricWarning

NAMES = ["mig", "sap", "dcimig", "jemmig", "modularity"]


def digitized(columns):
    edges = np.linspace(0, 1, PUBLISHED_BINS + 1)[:-1]
    return np.digitize(minmax_scale(columns), edges, right=False)


def bits(*columns):
    _, n = np.unique(np.stack(columns), axis=1, return_counts=True)
    return -np.sum(n / n.sum() * np.log2(n / n.sum()))


def informations(factors, codes):
    """I in bits, a row for each argument in the place of a factor."""
    return np.array(
        [[max(bits(f) + bits(c) - bits(f, c), 0.0) for c in codes.T] for f in factors.T]
    )


def top_gap(values):
    first, second = np.sort(values)[::-1][:2]
    return first - second


def oracle_mig(factors, codes):
    f, c = digitized(factors), digitized(codes)
    return np.mean([top_gap(row) for row in informations(f, c) / [bits(code) for code in c.T]])


def oracle_jemmig(factors, codes):
    f, c = digitized(factors), digitized(codes)
    scores = []
    for factor, row in zip(f.T, informations(f, c), strict=True):
        best = np.flatnonzero(row == row.max())[-1]  # as the end of a sort
        raw = bits(factor, c[:, best]) - top_gap(row)
        scores.append(1 - raw / (bits(factor) + np.log2(PUBLISHED_BINS)))
    return np.mean(scores)


def oracle_dcimig(factors, codes):
    f, c = digitized(factors), digitized(codes)
    mutual = informations(f, c)
    gap = np.zeros_like(mutual)
    for j, column in enumerate(mutual.T):
        gap[np.argmax(column), j] = top_gap(column)
    return gap.max(axis=1).sum() / sum(bits(factor) for factor in f.T)


def oracle_modularity(factors, codes):
    mutual = informations(digitized(factors), digitized(codes))
    scores = []
    for column in mutual.T:
        best = np.argmax(column)
        rest = np.sum(np.delete(column, best) ** 2)
        scores.append(1 - rest / (column[best] ** 2 * (len(column) - 1)))
    return np.mean(scores)


def oracle_sap(factors, codes):
    gaps = []
    for factor in factors.T:
        fits = [(LinearRegression().fit(c[:, None], factor), c[:, None]) for c in codes.T]
        gaps.append(top_gap([max(0.0, r2_score(factor, fit.predict(c))) for fit, c in fits]))
    return np.mean(gaps)


ORACLE = {
    "mig": oracle_mig,
    "sap": oracle_sap,
    "dcimig": oracle_dcimig,
    "jemmig": oracle_jemmig,
    "modularity": oracle_modularity,
}


def syntone(rows, seed):
    """Rows of SynTone's grid as a table, and each factor at mean 0 and deviation 1."""
    space = fd.FactorSpace(
        [
            fd.Factor("frequency", np.linspace(440, 8000, 400)),
            fd.Factor("amplitude", np.linspace(0.1, 1.0, 20)),
            fd.Factor("waveform", np.arange(4.0), "categorical"),
        ]
    )
    rng = np.random.default_rng(seed)
    table = space.grid(rng.choice(space.size, rows, replace=False))
    return table, (table.values - table.values.mean(axis=0)) / table.values.std(axis=0), rng


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_each_metric_is_what_was_published(name, dtype):
    table, z, rng = syntone(2000, 0)
    codes = np.tanh(z @ rng.normal(size=(3, 8)) + 0.3 * rng.normal(size=(2000, 8))).astype(dtype)
    expected = ORACLE[name](codes, table.values)  # codes first
    got = getattr(metrics, name)(table, codes, convention="published")
    assert got == pytest.approx(expected, abs=1e-6 if name == "sap" else 1e-12)
    assert metrics.evaluate(table, codes, [name], convention="published")[name] == got


@pytest.mark.parametrize("name", ["mig", "dcimig", "jemmig", "modularity"])
def test_dead_codes_count_as_they_did(name):
    table, z, rng = syntone(500, 4)
    codes = np.hstack([z + rng.normal(size=z.shape), np.full((500, 2), 0.7)])
    expected = ORACLE[name](codes, table.values)
    assert getattr(metrics, name)(table, codes, convention="published") == pytest.approx(expected)


def test_values_on_the_edges_fall_where_they_did():
    # Multiples of a tenth over several ranges: the scaling's rounding decides each bin.
    rng = np.random.default_rng(1)
    low, step = np.array([0.0, -0.3, 1.7, 100.1]), np.array([0.1, 0.01, 0.7, 1e-3])
    codes = low + step * rng.integers(0, 11, (500, 4))
    factors = np.round(rng.uniform(size=(500, 2)), 1) * 3 - 1
    for name in ("mig", "dcimig", "jemmig", "modularity"):
        for dtype in (np.float32, np.float64):
            expected = ORACLE[name](codes.astype(dtype), factors)
            got = getattr(metrics, name)(factors, codes.astype(dtype), convention="published")
            assert got == pytest.approx(expected, abs=1e-12), name


def test_the_swap_turns_the_verdict_around():
    """A perfect representation looks poor, an entangled one better than it is."""
    table, z, rng = syntone(8000, 2)
    perfect = np.hstack([z + 0.05 * rng.normal(size=z.shape), rng.normal(size=(8000, 5))])
    entangled = np.tanh(z @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(8000, 8)))
    right = {"bins": PUBLISHED_BINS, "discrete": False}

    good = metrics.evaluate(table.values, perfect, NAMES, **right)
    as_published = metrics.evaluate(table, perfect, convention="published")
    assert set(as_published) == {"mig", "sap", "dcimig", "jemmig", "modularity"}
    for name, value, published in [
        ("mig", 0.886, 0.335),
        ("sap", 0.997, 0.374),
        ("dcimig", 0.877, 0.358),
        ("jemmig", 0.892, 0.335),
        ("modularity", 0.739, 1.000),
    ]:
        assert good[name] == pytest.approx(value, abs=0.05), name
        assert as_published[name] == pytest.approx(published, abs=0.02), name

    bad = metrics.evaluate(table.values, entangled, NAMES, **right)
    swapped = metrics.evaluate(table, entangled, convention="published")
    assert bad["mig"] < swapped["mig"]
    assert swapped["sap"] > bad["sap"] + 0.2
    assert swapped["dcimig"] < 0.15 < bad["dcimig"]


@pytest.mark.filterwarnings("ignore::fastdis.metrics.MetricWarning")
def test_what_was_not_a_number_has_a_value():
    rng = np.random.default_rng(3)
    v, z = rng.normal(size=(300, 3)), rng.normal(size=(300, 4))
    v[:, 1], z[:, 2] = 5.0, -1.0
    for factors, codes in ((v, z), (v[:, :1], z), (v, z[:, :1]), (v, np.ones((300, 2)))):
        scores = metrics.evaluate(factors, codes, convention="published")
        assert all(0.0 <= value <= 1.0 for value in scores.values())
    with pytest.warns(MetricWarning, match="'factor 1', which counts as 0"):
        metrics.modularity(v, z, convention="published")
    with pytest.warns(MetricWarning, match="0 / 0"):
        metrics.mig(v, z, convention="published")


def test_a_float32_code_wider_than_float32_is_no_dead_code():
    v = np.arange(40)[:, None] % 4
    z = np.where(v > 1, 3e38, -3e38)
    expected = metrics.mig(v, z, convention="published")
    assert expected > 0
    assert metrics.mig(v, z.astype(np.float32), convention="published") == expected


def test_the_published_convention_leaves_no_choice():
    v, z = np.arange(20.0)[:, None], np.arange(20.0)[:, None]
    assert metrics.mig(v, z, convention="published", bins=10, discrete=False) == 1.0
    for bins in (12, 20):
        with pytest.raises(ValueError, match="bins takes 10"):
            metrics.mig(v, z, convention="published", bins=bins)
    with pytest.raises(ValueError, match="discrete takes None or False"):
        metrics.mig(v, z, convention="published", discrete=True)
    for call in (
        lambda: metrics.dci(v, z, convention="published"),
        lambda: metrics.jemmig(v, z, convention="published", normalized=False),
        lambda: metrics.evaluate(v, z, ["dci"], convention="published"),
    ):
        with pytest.raises(ValueError, match="convention takes 'standard'"):
            call()
