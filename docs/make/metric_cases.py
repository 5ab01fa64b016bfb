"""What bins, conventions, codes without content and few rows do to scores: for docs/metrics.md.

metric_behaviour.py runs ``measured`` and stores what it gives.
"""

import numpy as np

from fastdis import metrics
from fastdis.metrics import Bins
from fastdis.metrics._catalogue import METRICS
from fastdis.metrics._counts.conventions import CONVENTIONS

BIN_COUNTS = (5, 10, 20, 50, 100, 200)
MANY = 300  # times the rows


def measured(rows):
    """All figures of the page but the behaviour of the metrics."""
    return {
        "bins": _bins(rows),
        "outliers": _outliers(rows),
        "conventions": _conventions(rows),
        "active": _active(rows),
        "intervals": _intervals(rows),
        "traps": _traps(rows),
    }


def _levels(rng, rows, *sizes):
    return np.stack([rng.integers(0, size, rows) for size in sizes], axis=1)


def _mig(factors, codes, **options):
    return metrics.evaluate(factors, codes, ["mig"], **options)["mig"]


def _bins(rows):
    """MIG by bins and estimator, of three noisy codes among three of noise alone."""

    def data(rows, continuous):
        rng = np.random.default_rng(0)
        factors = rng.random((rows, 3)) if continuous else _levels(rng, rows, 10, 10, 10)
        noise = rng.standard_normal((rows, 6))
        held = factors if continuous else factors / 9
        return factors, np.hstack([held + 0.1 * noise[:, :3], noise[:, 3:]])

    result = {}
    for title, continuous in {"continuous": True, "levels": False}.items():
        few, many = data(rows, continuous), data(MANY * rows, continuous)
        result[title] = {
            f"{count} bins": {
                "equal width": _mig(*few, bins=count, discrete=not continuous),
                "quantiles": _mig(*few, bins=Bins.quantile(count), discrete=not continuous),
                "Miller-Madow": _mig(
                    *few, bins=count, discrete=not continuous, estimator="miller_madow"
                ),
                "nearest neighbours": _mig(
                    *few, bins=count, discrete=not continuous, estimator="kraskov"
                ),
                f"equal width, {MANY} times the rows": _mig(
                    *many, bins=count, discrete=not continuous
                ),
            }
            for count in BIN_COUNTS
        }
    return result


def _outliers(rows):
    """MIG of perfect codes, with one far row, and with heavy tails."""
    rng = np.random.default_rng(0)
    factors = rng.random((rows, 3))
    far = factors.copy()
    far[0] = 20.0
    cases = {
        "perfect codes": factors,
        "one row at 20 in each code": far,
        "heavy tails: each code z becomes sinh(20 z - 10)": np.sinh(20 * factors - 10),
    }
    return {
        title: {
            "20 bins of equal width": _mig(factors, codes, discrete=False),
            "20 quantiles": _mig(factors, codes, discrete=False, bins=Bins.quantile(20)),
            "nearest neighbours": _mig(factors, codes, discrete=False, estimator="kraskov"),
        }
        for title, codes in cases.items()
    }


def _conventions(rows):
    """Three noisy codes, one of them bent, one of noise and a dead one, under each convention."""
    rng = np.random.default_rng(0)
    factors = _levels(rng, rows, 4, 6, 10)
    codes = factors / (3, 5, 9) + 0.1 * rng.standard_normal((rows, 3))
    codes[:, 1] **= 3
    codes = np.column_stack([codes, rng.standard_normal(rows), np.zeros(rows)])
    names = [name for name, metric in METRICS.items() if len(metric.formulas) > 1]
    result = {}
    for convention in CONVENTIONS:
        chosen = [name for name in names if convention in METRICS[name].formulas]
        for name, value in metrics.evaluate(factors, codes, chosen, convention=convention).items():
            result.setdefault(name, {})[convention] = value
    return result


def _active(rows):
    """Perfect codes among codes that hold nothing."""
    rng = np.random.default_rng(0)
    factors = _levels(rng, rows, 10, 10, 10)
    codes, dead = factors / 9.0, np.zeros((rows, 1))
    noise = rng.standard_normal((rows, 7))
    cases = {
        "three perfect codes": (codes, None),
        "a dead code first": (np.hstack([dead, codes]), None),
        "a dead code last": (np.hstack([codes, dead]), None),
        "seven noise codes": (np.hstack([codes, noise]), None),
        'the same, `active="informative"`': (np.hstack([codes, noise]), "informative"),
    }
    result = {}
    for title, (z, active) in cases.items():
        for name, value in metrics.evaluate(factors, z, active=active).items():
            result.setdefault(name, {})[title] = value
    return result


def _intervals(rows):
    """Scores of few and more rows, each with a bootstrap interval."""
    result = {}
    for n in (rows // 10, rows, 10 * rows):
        rng = np.random.default_rng(0)
        factors = _levels(rng, n, 5, 5, 5)
        codes = factors @ [[1, 0.3, 0], [0, 1, 0.3], [0, 0, 1]] + rng.standard_normal((n, 3))
        names = ["mig", "dcimig", "modularity"]
        scores = metrics.evaluate(factors, codes, names, bins=10, bootstrap=1000)
        result[f"{n:,} rows"] = {name: [x, *scores.intervals[name]] for name, x in scores.items()}
    return result


def _traps(rows):
    """Scores that mislead, each beside one that does not."""
    rng = np.random.default_rng(0)
    factors = _levels(rng, rows, 10, 10, 10)
    perfect, noise = factors / 9 - 0.5, rng.standard_normal((rows, 5))
    spare = np.hstack([perfect, noise])
    swapped = {"convention": "ubisoft", "discrete": False}
    traces = perfect + 0.7 * noise[:, :3]
    turned = perfect @ (np.eye(3) - 2 / 3)
    two = np.hstack([perfect[:, :2], noise[:, :1]])
    halves = factors // 2

    def score(name, codes, factors=factors, **options):
        metric = name if name in METRICS else name.rpartition("_")[0]
        return metrics.evaluate(factors, codes, [metric], **options)[name]

    return [
        ["Arguments swapped: MIG of perfect codes and five noise codes, bins of Ubisoft",
         score("mig", factors, spare, **swapped), "in order",
         score("mig", spare, **swapped)],
        ["Ubisoft's MIG, divided by H(code), of codes that tell their factors and more",
         score("mig", perfect, halves, convention="ubisoft"), "standard",
         score("mig", perfect, halves)],
        ["Ubisoft's JEMMIG of dead codes", score("jemmig", 0 * perfect, convention="ubisoft"),
         "standard", score("jemmig", 0 * perfect)],
        ["Modularity of faint traces of the factors", score("modularity", traces),
         "MIG-sup", score("mig_sup", traces)],
        ["Z-diff where no code holds the third factor", score("z_diff", two),
         "DCI informativeness", score("dci_informativeness", two)],
        ["Total correlation of codes that each mix all factors",
         score("gaussian_total_correlation", turned), "mutual information score",
         score("mutual_information_score", turned)],
        ["Explicitness of perfect codes of ordered factors", score("explicitness", perfect),
         "InfoE", score("infoe", perfect)],
        ["InfoE of noise alone, in 30 codes and 300 rows", _fitted_noise(rng, 300),
         "in 10,000 rows", _fitted_noise(rng, 10_000)],
    ]  # fmt: skip


def _fitted_noise(rng, rows):
    codes = rng.standard_normal((rows, 30))
    return metrics.evaluate(_levels(rng, rows, 10, 10), codes, ["infoe"])["infoe"]
