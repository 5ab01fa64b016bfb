"""k-NN accuracy: which factors the neighbourhoods of a latent space, or of its parts, tell.

The protocol of three-factor disentanglement: a part of the codes should tell its own factor alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.metrics._evidence import Evidence
from fastdis.metrics._fits.fitting import fitting
from fastdis.metrics._fits.predictors import KEPT, Matrix, Target, explained, mean_score, targets
from fastdis.metrics._metric import Entry, Score, Seeded, metric, metric_of

_ROWS = 20_000

Rows = NDArray[np.intp]
Columns = int | slice | Sequence[int] | NDArray[Any]


@dataclass(frozen=True, eq=False)
class GroupAccuracy:
    """How well each group of codes tells each factor.

    Attributes
    ----------
    factors : K texts
        The factors that were predicted.
    groups : G texts
        The groups of codes.
    accuracy : (K, G) float64
        Accuracy, or R^2 for a continuous factor.
    """

    factors: tuple[str, ...]
    groups: tuple[str, ...]
    accuracy: NDArray[np.float64]

    def gap(self, own: Mapping[str, str] | None = None) -> float:
        """How far each factor's own group is ahead of the best other one, on average.

        -1 to 1, higher is better. With one group, the gap is its accuracy.

        Parameters
        ----------
        own
            The group of each factor, as in ``{"instrument": "timbre"}``; a factor that is not
            named is left out. None pairs factors with the groups of their name.

        Raises
        ------
        ValueError
            If a name is unknown, or no factor has a group.
        """
        if own is None:
            own = {name: name for name in self.factors if name in self.groups}
        if not own:
            raise ValueError(
                f"own takes the group of at least one of the factors {', '.join(self.factors)}, "
                f"got none; the groups are {', '.join(self.groups)}"
            )
        gaps = []
        for factor, group in own.items():
            row = self.accuracy[self.factors.index(_validation.choice("own", factor, self.factors))]
            g = self.groups.index(_validation.choice("own", group, self.groups))
            gaps.append(row[g] - np.delete(row, g).max(initial=0.0))
        return float(np.mean(gaps))

    def __str__(self) -> str:
        wide = [max(map(len, self.factors)), *(max(6, len(name)) for name in self.groups)]
        lines = [["", *self.groups]]
        for name, row in zip(self.factors, self.accuracy, strict=True):
            lines.append([name, *(f"{x:.3f}" for x in row)])
        return "\n".join(
            "  ".join(f"{text:>{w}}" for text, w in zip(line, wide, strict=True)) for line in lines
        )

    __repr__ = __str__


@fitting()
def _knn_accuracy(
    evidence: Evidence, k: int = 5, groups: Mapping[str, Columns] | None = None, train: Any = None
) -> Score | dict[str, Score]:
    """The score of all codes, or of each group by its name."""
    k = _validation.integer("k", k)
    chosen = {} if groups is None else _chosen(evidence, groups)
    fitted, others = _parts(len(evidence.data.codes), train, evidence.seed)
    if len(fitted) < k:
        raise ValueError(f"k takes at most the {len(fitted)} rows of the training part, got {k}")
    data, rows = evidence.data, np.concatenate([fitted, others])
    drawn = replace(data, factors=data.factors[rows], codes=data.codes[rows])
    goals = targets(evidence, drawn, KEPT)
    if groups is None:
        return _accuracies(drawn.codes, goals, len(fitted), k)
    return {
        name: _accuracies(drawn.codes[:, columns], goals, len(fitted), k)
        for name, columns in chosen.items()
    }


def _chosen(evidence: Evidence, groups: Any) -> dict[str, NDArray[np.intp]]:
    """The positions of each group among the codes that are scored."""
    if not isinstance(groups, Mapping) or not groups:
        raise TypeError(
            "groups takes columns by name, as in {'pitch': [0, 1]}, got "
            f"{_validation.describe(groups)}"
        )
    codes, result = evidence.all_data.codes.shape[1], {}
    for name, columns in groups.items():
        stated = _validation.indices(f"groups[{name!r}]", columns, codes)
        result[str(name)] = np.flatnonzero(np.isin(evidence.columns, stated))
        if not result[str(name)].size:
            raise ValueError(
                f"groups takes at least one code that is scored for {name!r}, got {columns!r}"
            )
    return result


def _parts(n: int, train: Any, seed: int) -> tuple[Rows, Rows]:
    """The samples of the training part, and those that are predicted."""
    rng = np.random.default_rng(seed)
    if train is None:
        drawn = rng.choice(n, min(n, _ROWS), replace=False)
        held = max(1, len(drawn) // 4)
        return drawn[held:], drawn[:held]
    mask = np.asarray(train)
    if mask.dtype != bool or mask.shape != (n,) or mask.all() or not mask.any():
        raise ValueError(
            f"train takes {n} bools, one per row and some of either kind, got "
            f"{_validation.describe(train)}"
        )
    fitted, others = np.flatnonzero(mask), np.flatnonzero(~mask)
    return (
        rng.choice(fitted, min(len(fitted), _ROWS * 3 // 4), replace=False),
        rng.choice(others, min(len(others), _ROWS // 4), replace=False),
    )


def _accuracies(codes: NDArray[Any], goals: list[Target], n: int, k: int) -> Score:
    """How well neighbours among the first ``n`` samples predict the factors of the others."""
    from sklearn.neighbors import NearestNeighbors

    x = _space(codes)
    if x.any():
        near = NearestNeighbors(n_neighbors=k).fit(x[:n]).kneighbors(x[n:], return_distance=False)
    else:
        near = np.arange(n)[None]  # all are equally near
    result = {}
    for goal in goals:
        y = goal.values
        if goal.classified:
            result[goal.name] = float(np.mean(_vote(y[near]) == y[n:]))
        else:
            result[goal.name] = explained(y[n:], y[near].mean(axis=1), float(y[:n].mean()))
    return mean_score(result)


def _vote(labels: NDArray[np.intp]) -> NDArray[np.intp]:
    """The most frequent label in each row ``(N, k)``, the lowest of several."""
    rows, levels = len(labels), int(labels.max()) + 1
    cells = np.arange(rows)[:, None] * levels + labels
    counts = np.bincount(cells.ravel(), minlength=rows * levels)
    return np.asarray(counts.reshape(rows, levels).argmax(axis=1))


def _space(codes: NDArray[Any]) -> Matrix:
    """The codes in units of their widest range, in an order that is not theirs.

    Distances keep their ratios, and squares of very large and small values stay finite.
    """
    x = codes.astype(np.float64)
    x = (x - x.min(axis=0)) / (np.ptp(x, axis=0).max() or 1.0)
    return np.asarray(x[:, np.lexsort(x[::-1])])


@overload
def knn_accuracy(
    factors: Any, codes: Any = None, *, k: int = 5, groups: None = None, train: Any = None,
    **shared: Unpack[Seeded],
) -> float: ...  # fmt: skip


@overload
def knn_accuracy(
    factors: Any, codes: Any = None, *, k: int = 5, groups: Mapping[str, Columns],
    train: Any = None, **shared: Unpack[Seeded],
) -> GroupAccuracy: ...  # fmt: skip


@metric(
    Entry(
        "knn_accuracy", "k-NN accuracy", "Cover & Hart 1967", "explicitness",
        "Samples that are near each other in the codes agree in their factors.",
        "Where factors are held; depends on the codes' scale; guessing does not score 0.",
    ),
    group="predictors", standard=_knn_accuracy,
)  # fmt: skip
def knn_accuracy(
    factors: Any,
    codes: Any = None,
    *,
    k: int = 5,
    groups: Mapping[str, Columns] | None = None,
    train: Any = None,
    **shared: Unpack[Seeded],
) -> float | GroupAccuracy:
    """How well do a sample's nearest neighbours tell its factors, in all codes or in each group?

    A sample's level is predicted as that of most of its ``k`` nearest samples (Euclidean distance)
    in a training part; the score is the accuracy on the other samples, as in the evaluation of the
    three-factor framework for timbre, variation and pitch (section 6.3 of its re-entry training,
    with k = 5). A continuous factor is predicted by the mean of its neighbours; its score is R^2
    against always saying the training mean, 0 where it falls below. 0 to 1. A group should score
    high on its own factor alone.

    Frames of local features are samples, and each votes by itself. Frames of one clip are alike, so
    no clip should be in both parts: state ``train``. Pitch in semitones has more levels than
    ``bins`` and would be predicted as a number; ``discrete=True`` classifies it.

    Codes are not standardised, which the paper does not mention either: a latent space is taken
    with its own distances, in which collapsed codes weigh nothing. A rotation, a shift or a
    common factor of the codes of a group changes nothing; the scale of one code does. A group of
    dead codes says the most frequent training level (the lowest of several), or the mean: R^2 0.

    Without ``train``, three quarters of the samples are drawn for it. Of more than 15,000 training
    or 5,000 other samples, so many are drawn. As samples are drawn, and of equal distances the
    earlier samples may count, the order of the samples matters, a little; that of the codes does
    not. A level that is not in the training part counts as an error.

    A constant factor is left out, and so is a discrete one without two levels that occur twice,
    or with over 1,000 levels.

    Parameters
    ----------
    k
        The number of neighbours.
    groups
        Columns of the codes by name, as in ``{"pitch": [0, 1], "timbre": slice(2, 4)}``; None
        for all codes.
    train : (N,) bools, or None
        The samples of the training part.

    Returns
    -------
    float or GroupAccuracy
        Without ``groups``, the mean over factors; with them, the score of each factor and group.

    Raises
    ------
    TypeError, ValueError, IndexError
        As :func:`mig`; also if no factor is left, a group is empty or out of range, or the
        training part has fewer than ``k`` samples.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.stack([np.arange(400) % 4, np.arange(400) // 4 % 5], axis=1)
    >>> knn_accuracy(v, 2.0 * v)
    1.0
    >>> groups = {"pitch": [0], "timbre": slice(1, 2)}
    >>> parts = knn_accuracy(v, 2.0 * v, groups=groups)
    >>> parts.accuracy.round().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    >>> parts.gap({"factor 0": "pitch", "factor 1": "timbre"}) > 0.6
    True
    """
    result = metric_of(knn_accuracy).score(
        factors, codes, k=k, groups=groups, train=train, **shared
    )
    if groups is None:
        return float(result.value)
    parts = [score.per_factor for score in result.values()]
    table = np.array([[part[name] for part in parts] for name in parts[0]])
    return GroupAccuracy(tuple(parts[0]), tuple(result), table)
