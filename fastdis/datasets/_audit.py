"""Can each factor be recovered from the features at all? Asked before any model is trained.

For each factor: do the features of neighbouring levels differ when all else is held, by how much,
is the difference sound or aliasing, and does a simple predictor find the level in clips it has
not seen? A factor that fails here cannot be disentangled by any model on these features.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.datasets._base import Dataset
from fastdis.factors import Factor

# Two features differ if any value differs by this share of the features' range: a hundred times
# the rounding of float32, and far below what a trained network can tell.
TOLERANCE = 1e-5
_COMPONENTS = 32  # principal components the predictor sees
_PASS_SCORE = 0.5  # of the way from chance to perfect
_PASS_SHARE = 0.05  # of neighbouring levels that may look alike
# A pair is told apart by aliasing if less than this share of its distance is left without it. Not
# zero: at a clip's two ends the phase shows, and it differs even between two equal sines.
_LEFT = 0.1


@dataclass(frozen=True)
class FactorAudit:
    """What the features say of one factor.

    Attributes
    ----------
    name
        The factor's.
    indistinguishable
        Share of pairs of neighbouring levels (any two of a categorical factor), other factors
        held, whose features are the same to 1e-5 of their range.
    smallest_distance, median_distance
        Root mean square difference of such pairs over that of two random clips.
    accuracy, measure, chance
        Of a held-out predictor: ``"accuracy"`` for a categorical factor, ``"R²"`` for another, and
        what a guess would reach.
    aliasing
        Share of the pairs that differ of whose distance less than a tenth is left once the
        waveforms are free of aliasing; None where the data set cannot tell.
    passes
        At most 5% of pairs look alike, and the predictor gets halfway from chance to perfect.
    verdict
        The same in a sentence.
    """

    name: str
    indistinguishable: float
    smallest_distance: float
    median_distance: float
    accuracy: float
    measure: str
    chance: float
    aliasing: float | None
    passes: bool
    verdict: str


@dataclass(frozen=True)
class Audit:
    """The factors' audits and a verdict in a paragraph; ``str()`` is a table."""

    factors: tuple[FactorAudit, ...]
    verdict: str

    @property
    def passes(self) -> bool:
        """Whether every factor passes."""
        return all(factor.passes for factor in self.factors)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; :meth:`from_dict` reads them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Audit:
        """The audit that :meth:`to_dict` wrote."""
        return cls(tuple(FactorAudit(**factor) for factor in data["factors"]), data["verdict"])

    def __str__(self) -> str:
        head = (
            f"{'factor':<12} {'alike':>6} {'smallest':>9} {'median':>9} {'predictor':>16}  passes"
        )
        rows = [
            f"{f.name:<12} {f.indistinguishable:>6.1%} {f.smallest_distance:>9.2e} "
            f"{f.median_distance:>9.2e} {f.measure + f' {f.accuracy:.3f}':>16}  "
            f"{'yes' if f.passes else 'NO'}"
            for f in self.factors
        ]
        return "\n".join([head, *rows, "", self.verdict])


def audit(dataset: Dataset, *, pairs: int = 400, clips: int = 4000, seed: int = 0) -> Audit:
    """Hold the features of a data set against its factors.

    Parameters
    ----------
    dataset
        Any data set of discrete factors.
    pairs
        Pairs of neighbouring levels to compare, for each factor.
    clips
        Clips for the predictor; three quarters train it, the rest score it.
    seed
        Fixes which.

    Raises
    ------
    ValueError
        If a factor is continuous, or the set has fewer than 8 clips.
    """
    _validation.integer("pairs", pairs)
    _validation.integer("clips", clips, 8)
    _validation.integer("seed", seed, 0)
    if len(dataset) < 8:
        raise ValueError(f"dataset takes at least 8 clips to audit, got {len(dataset)}")
    for factor in dataset.space.factors:
        if factor.kind == "continuous":
            raise ValueError(f"dataset takes discrete factors, got continuous {factor.name!r}")
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(dataset))[:clips])
    features = _flat(dataset, rows)
    span = float(np.ptp(features)) or 1.0
    spread = float(np.sqrt(2.0) * features.std(axis=0).mean()) or 1.0
    order = rng.permutation(len(rows))
    train, test = order[: 3 * len(rows) // 4], order[3 * len(rows) // 4 :]
    components = _principal_components(features, train)
    levels = dataset.table(rows).levels
    finder = _RowFinder(dataset)

    audits = []
    for k, factor in enumerate(dataset.space.factors):
        a, b = _neighbours(finder, k, factor, pairs, rng)
        score, chance = _predict(components, levels[:, k], factor, train, test)
        audits.append(_audit_factor(dataset, factor, a, b, TOLERANCE * span, spread, score, chance))
    return Audit(tuple(audits), _paragraph(audits))


def _audit_factor(
    dataset: Dataset, factor: Factor, a: NDArray[np.int64], b: NDArray[np.int64],
    tolerance: float, spread: float, score: float, chance: float,
) -> FactorAudit:  # fmt: skip
    difference = np.abs(_flat(dataset, a) - _flat(dataset, b))
    differs = difference.max(axis=1, initial=0.0) > tolerance
    distance = np.sqrt((difference**2).mean(axis=1))
    alike = 1.0 - float(differs.mean()) if len(a) else 0.0
    aliasing = _aliased_share(dataset, a[differs], b[differs], distance[differs])
    passes = alike <= _PASS_SHARE and score >= chance + _PASS_SCORE * (1.0 - chance)
    if factor.size == 1:
        passes = True
    measure = "accuracy" if factor.kind == "categorical" else "R²"
    return FactorAudit(
        factor.name, alike,
        float(distance.min()) / spread if len(a) else 0.0,
        float(np.median(distance)) / spread if len(a) else 0.0,
        score, measure, chance, aliasing, passes,
        _sentence(factor, len(a), alike, score, measure, chance, aliasing, passes),
    )  # fmt: skip


class _RowFinder:
    """Rows of a data set by their levels; the set need not hold the whole grid, nor in order."""

    def __init__(self, dataset: Dataset) -> None:
        self.space = dataset.space
        self.levels = dataset.table().levels
        flat = self.space.index_of(self.levels)
        self._order = np.argsort(flat, kind="stable")
        self._flat = flat[self._order]

    def find(self, levels: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each ``(n, K)`` levels, -1 where there is none."""
        wanted = self.space.index_of(levels)
        at = np.minimum(np.searchsorted(self._flat, wanted), len(self._flat) - 1)
        return np.where(self._flat[at] == wanted, self._order[at], -1)


def _neighbours(
    finder: _RowFinder, k: int, factor: Factor, pairs: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows that differ in factor k alone: by one level, or by any where levels have no order."""
    if factor.size == 1:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    a = rng.integers(0, len(finder.levels), 4 * pairs)
    other = finder.levels[a].astype(np.int64)
    if factor.kind == "categorical":
        other[:, k] = (other[:, k] + rng.integers(1, factor.size, len(a))) % factor.size
    else:
        other[:, k] += 1
    inside = other[:, k] < factor.size
    a, b = a[inside], finder.find(other[inside])
    return a[b >= 0][:pairs], b[b >= 0][:pairs]


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


def _flat(dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    return dataset.features(rows).reshape(len(rows), math.prod(dataset.feature_shape))


def _principal_components(
    features: NDArray[np.float32], train: NDArray[np.int64]
) -> NDArray[np.float32]:
    from sklearn.decomposition import PCA

    n = min(_COMPONENTS, len(train), features.shape[1])
    pca = PCA(n, svd_solver="randomized", random_state=0).fit(features[train])
    result: NDArray[np.float32] = pca.transform(features)
    return result


def _predict(
    x: NDArray[np.float32], levels: NDArray[np.int32], factor: Factor,
    train: NDArray[np.int64], test: NDArray[np.int64],
) -> tuple[float, float]:  # fmt: skip
    """``(score, chance)`` of trees on principal components, on rows they have not seen."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    if len(np.unique(levels)) == 1:
        return 1.0, 0.0  # one level needs no finding
    if factor.kind == "categorical":
        model = ExtraTreesClassifier(200, random_state=0, n_jobs=1)
        chance = float((levels[test] == np.bincount(levels[train]).argmax()).mean())
    else:
        model = ExtraTreesRegressor(200, random_state=0, n_jobs=1)
        chance = 0.0
    score = model.fit(x[train], levels[train]).score(x[test], levels[test])
    return max(float(score), 0.0), chance


def _sentence(
    factor: Factor, pairs: int, alike: float, score: float, measure: str, chance: float,
    aliasing: float | None, passes: bool,
) -> str:  # fmt: skip
    name = factor.name.capitalize()
    if factor.size == 1:
        return f"{name} has one level: there is nothing to recover."
    found = f"a held-out predictor reaches {measure} {score:.2f} (chance {chance:.2f})"
    compared = f"{1.0 - alike:.0%} of neighbouring levels differ"
    if not pairs:
        compared = "no two clips differ in it alone, so levels could not be compared"
    if alike > 1.0 - _PASS_SHARE:
        text = (
            f"{name} is erased: {alike:.0%} of neighbouring levels have the same features, "
            f"and {found}. No model can learn it from this input."
        )
    elif passes:
        text = f"{name} can be recovered: {compared}, and {found}."
    else:
        text = f"{name} is in doubt: {compared}, and {found}."
    if aliasing is not None and aliasing > _PASS_SHARE:
        text += (
            f" But {aliasing:.0%} of the pairs that differ are told apart by aliasing: without it, "
            "over 90% of their difference is gone."
        )
    return text


def _paragraph(audits: list[FactorAudit]) -> str:
    failed = [a.name for a in audits if not a.passes]
    aliased = [a for a in audits if a.aliasing is not None and a.aliasing > _PASS_SHARE]
    if not failed:
        text = f"All {len(audits)} factors can be recovered from the features."
    else:
        text = (
            f"{len(audits) - len(failed)} of {len(audits)} factors can be recovered from the "
            f"features; {', '.join(failed)} cannot."
        )
    for a in aliased:
        text += f" {a.aliasing:.0%} of {a.name} is aliasing."
    return " ".join([text, *(a.verdict for a in audits)])
