"""Can each factor be recovered from the features at all? Measured before any model is trained.

For each factor: do the features of neighbouring levels differ when all other factors are equal, by
how much, is the difference only aliasing, does noise hide it, and does a simple predictor find the
level in held-out clips? No model can learn a factor from features that are the same at all levels;
a factor that only the predictor misses may still be learnt.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _threads, _validation
from fastdis.datasets.auditing.neighbours import Neighbours, Rendered, RowFinder, flat, renderer
from fastdis.datasets.auditing.result import PASS_SHARE, Audit, FactorAudit, paragraph, sentence
from fastdis.datasets.base import Dataset
from fastdis.factors import Factor

# Two features differ if any value differs by this share of the features' range: a hundred times
# the rounding of float32, and far below what a trained network can resolve.
TOLERANCE = 1e-5
_COMPONENTS = 32  # principal components the predictor sees
_PASS_SCORE = 0.5  # of the way from chance to perfect
# A pair differs by aliasing if less than this share of its distance is left without aliasing. Not
# zero: at a clip's two ends the phase shows, and it differs even between two equal sines.
_LEFT = 0.1


def audit(dataset: Dataset, *, pairs: int = 400, clips: int = 4000, seed: int = 0) -> Audit:
    """Measure what the features of a data set hold of each factor.

    The audit compares pairs of clips that differ in one factor by one level. A data set that
    renders any levels (:meth:`fastdis.datasets.AdditiveToy.features_at`), itself or behind a stored
    one, renders the pairs, so that a sample of a large grid and continuous factors have pairs, too:
    first without noise, which shows what the representation keeps (for a factor that acts on the
    noise alone, with the same draw of the noise for both clips); then with many draws of the noise,
    the same for both clips, which shows what the noise leaves to a naive-Bayes (Student-t)
    classifier that is given all other factors. A factor passes or fails by the held-out predictor,
    not by that classifier, because only the predictor sees the features alone.

    Parameters
    ----------
    dataset
        Any data set of discrete factors, or one that renders any levels.
    pairs
        Pairs of neighbouring levels to compare, for each factor.
    clips
        Clips for the predictor; three quarters train it, the rest score it.
    seed
        Fixes which.

    Raises
    ------
    ValueError
        If a factor is continuous and the set renders no other levels, or it has fewer than 8 clips.
    """
    _validation.integer("pairs", pairs)
    _validation.integer("clips", clips, 8)
    _validation.integer("seed", seed, 0)
    if len(dataset) < 8:
        raise ValueError(f"dataset takes at least 8 clips to audit, got {len(dataset)}")
    source = renderer(dataset)
    for factor in dataset.space.factors:
        if factor.kind == "continuous" and source is None:
            raise ValueError(f"dataset takes discrete factors, got continuous {factor.name!r}")
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(dataset))[:clips])
    features = flat(dataset.features(rows))
    span = float(np.ptp(features)) or 1.0
    spread = float(np.sqrt(2.0) * features.std(axis=0).mean()) or 1.0
    order = rng.permutation(len(rows))
    train, test = order[: 3 * len(rows) // 4], order[3 * len(rows) // 4 :]
    components = _principal_components(features, train)
    finder = RowFinder(dataset) if source is None else Rendered(dataset, source)
    table, factors = dataset.table(rows), dataset.space.factors
    tolerance = TOLERANCE * span
    pairs_of = [finder.neighbours(k, pairs, rng, tolerance) for k in range(len(factors))]
    audits = []
    for k, (factor, found) in enumerate(zip(factors, pairs_of, strict=True)):
        target = (table.values if factor.kind == "continuous" else table.levels)[:, k]
        score = _predict(components, target, factor, train, test)
        audits.append(_audit_factor(dataset, factor, found, score, tolerance, spread))
    return Audit(tuple(audits), paragraph(audits))


def _audit_factor(
    dataset: Dataset, factor: Factor, found: Neighbours, predicted: tuple[float, float],
    tolerance: float, spread: float,
) -> FactorAudit:  # fmt: skip
    difference = np.abs(found.a - found.b)
    differs = difference.max(axis=1, initial=0.0) > tolerance
    distance = np.sqrt((difference**2).mean(axis=1))
    count, (score, chance) = len(found.a), predicted
    alike = 1.0 - float(differs.mean()) if count else 0.0
    aliasing = None
    if found.rows is not None:
        a, b = found.rows
        aliasing = _aliased_share(dataset, a[differs], b[differs], distance[differs])
    trivial = bool(factor.values.min() == factor.values.max())
    passes = alike <= PASS_SHARE and score >= chance + _PASS_SCORE * (1.0 - chance)
    result = FactorAudit(
        name=factor.name, indistinguishable=alike,
        smallest_distance=float(distance.min()) / spread if count else 0.0,
        median_distance=float(np.median(distance)) / spread if count else 0.0,
        accuracy=score, measure="accuracy" if factor.kind == "categorical" else "R²",
        chance=chance, aliasing=aliasing, passes=passes or trivial, verdict="",
        confused=found.confused, trivial=trivial,
    )  # fmt: skip
    return replace(result, verdict=sentence(result, compared=count > 0))


def _aliased_share(
    dataset: Dataset, a: NDArray[np.int64], b: NDArray[np.int64], distance: NDArray[np.float32]
) -> float | None:
    """Of pairs that differ, the share that hardly would if no harmonic were folded back."""
    if not len(a):
        return None
    clean_a, clean_b = dataset.alias_free_features(a), dataset.alias_free_features(b)
    if clean_a is None or clean_b is None:
        return None
    left = np.sqrt(((clean_a - clean_b) ** 2).reshape(len(a), -1).mean(axis=1))
    return float((left < _LEFT * distance).mean())


def _principal_components(
    features: NDArray[np.float32], train: NDArray[np.int64]
) -> NDArray[np.float32]:
    from sklearn.decomposition import PCA

    n = min(_COMPONENTS, len(train), features.shape[1])
    pca = PCA(n, svd_solver="randomized", random_state=0).fit(features[train])
    result: NDArray[np.float32] = pca.transform(features)
    return result


def _predict(
    x: NDArray[np.float32], levels: NDArray[Any], factor: Factor,
    train: NDArray[np.int64], test: NDArray[np.int64],
) -> tuple[float, float]:  # fmt: skip
    """``(score, chance)`` of trees on principal components, on rows they have not seen."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    if len(np.unique(levels)) == 1:
        return 1.0, 0.0  # one level needs no finding
    jobs = _threads.get_num_threads()
    if factor.kind == "categorical":
        model = ExtraTreesClassifier(200, random_state=0, n_jobs=jobs)
        chance = float((levels[test] == np.bincount(levels[train]).argmax()).mean())
    else:
        model = ExtraTreesRegressor(200, random_state=0, n_jobs=jobs)
        chance = 0.0
    with warnings.catch_warnings():  # the trees' threads may leave each other's filters behind
        model.fit(x[train], levels[train])
    # Predictions are summed in the order in which threads end: one thread gives the same last bits.
    score = model.set_params(n_jobs=1).score(x[test], levels[test])
    return max(float(score), 0.0), chance
