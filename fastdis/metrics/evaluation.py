"""evaluate(): the panel of metrics on one representation, its histogram counted once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

from fastdis import _validation
from fastdis.metrics import _bootstrap
from fastdis.metrics._catalogue import CATALOGUE, GROUPS, METRICS
from fastdis.metrics._counts.bins import Bins
from fastdis.metrics._counts.columns import Discrete
from fastdis.metrics._counts.conventions import CONVENTIONS
from fastdis.metrics._counts.histogram import JointHistogram
from fastdis.metrics._evidence import Evidence, gather
from fastdis.metrics._information import ArrayFormula
from fastdis.metrics._metric import Formula, Metric, Score
from fastdis.metrics.scores import Scores


def evaluate(
    factors: Any,
    codes: Any = None,
    metrics: Iterable[str] | None = None,
    *,
    bins: int | Bins | None = None,
    discrete: Discrete = None,
    convention: str = "standard",
    estimator: str = "plugin",
    active: Any = None,
    seed: int = 0,
    bootstrap: int = 0,
    confidence: float = 0.95,
) -> Scores:
    """Score a representation by several metrics; the histogram is counted once.

    Parameters
    ----------
    factors, codes, bins, discrete
        See :func:`joint_histogram`; ``bins`` None is 20, or 10 under the ubisoft and published
        conventions. Of chunks, the rows are kept only if one of ``metrics`` reads rows.
    metrics
        Names of metrics or of their parts, as in ``["mig", "dci_completeness"]``, or of groups:
        ``"histogram"``, ``"predictors"``, ``"interventions"``, ``"unlabelled"``. None for all that
        the convention has. A metric that was not named itself and does not fit the data is left
        out, with a warning.
    convention
        ``"standard"``, ``"disentanglement_lib"``, ``"ubisoft"`` or ``"published"``; see
        :mod:`fastdis.metrics`.
    estimator
        Of mutual information: ``"plugin"``, ``"miller_madow"`` (less biased where rows are few) or
        ``"kraskov"`` (nearest neighbours in place of bins).
    active
        Which codes are scored: None for all, dead ones as each metric says; ``"informative"`` for
        those that tell more about some factor than chance would (a G-test at 0.001 / K); or a
        bool per code.
    seed
        For the metrics that draw rows or fit a model, and for the bootstrap.
    bootstrap
        How often the rows are resampled for confidence intervals of the histogram metrics; 1,000
        is common, 0 for none, else at least 2. Other metrics get none.
    confidence
        Of the intervals, above 0 and below 1.

    Returns
    -------
    Scores
        A mapping from names to floats. What the metrics would warn about stands in its
        ``warnings``.

    Raises
    ------
    TypeError, ValueError
        As the metrics; also for an unknown name.

    Examples
    --------
    >>> import numpy as np
    >>> v = np.stack([np.arange(400) % 4, np.arange(400) // 4 % 5], axis=1)
    >>> print(evaluate(v, 2.0 * v, ["mig", "sap"]))
    standard convention, 20 equal-width bins, 400 rows, 2 codes
      mig   1.000  factor 0 1.000, factor 1 1.000
      sap   0.775  factor 0 0.750, factor 1 0.800
    """
    _validation.choice("convention", convention, CONVENTIONS)
    _check_bootstrap(bootstrap, confidence, estimator)
    if isinstance(codes, list | tuple) and codes and all(isinstance(x, str) for x in codes):
        raise TypeError(f"codes takes an array, got names: pass metrics={codes!r} by its name")
    if metrics is None and isinstance(factors, JointHistogram):
        metrics = ["histogram"]
    named = None if metrics is None else names_of(metrics)
    chosen = _chosen(named, convention)
    formulas = {metric.name: metric.formula(convention) for metric in chosen}
    evidence = gather(
        factors, codes, bins=bins, discrete=discrete, convention=convention, estimator=estimator,
        active=active, seed=seed,
        rows=bootstrap > 0 or any(metric.reads_samples for metric in chosen),
        pairs=any(getattr(formula, "pairs", False) for formula in formulas.values()),
    )  # fmt: skip
    details = _details(evidence, formulas, named or ())
    intervals: dict[str, tuple[float, float]] = {}
    if bootstrap:
        counted = {name: f for name, f in formulas.items() if isinstance(f, ArrayFormula)}
        asked = {_metric_of(name) for name in named or () if name not in GROUPS}
        if missing := ", ".join(name for name in formulas if name in asked - counted.keys()):
            evidence.note(f"bootstrap: no intervals for {missing}, which reads rows")
        drawn = _bootstrap.resampled_scores(evidence, counted, bootstrap)
        values = {name: score.value for name, score in details.items()}
        intervals = _bootstrap.intervals(drawn, values, confidence)
    histogram = evidence.histogram
    return Scores(
        details, convention, evidence.bins, str(evidence.cut), estimator, histogram.n,
        histogram.names, tuple(map(int, evidence.columns)), histogram.mutual_information,
        histogram.active, tuple(evidence.notes), intervals, confidence,
    )  # fmt: skip


def _details(
    evidence: Evidence, formulas: dict[str, Formula], named: Collection[str]
) -> dict[str, Score]:
    singly = {_metric_of(name) for name in named if name not in GROUPS}
    groups = {metric.name for name in named if name in GROUPS for metric in GROUPS[name]}
    details: dict[str, Score] = {}
    errors: list[ValueError] = []
    for metric, formula in formulas.items():
        try:
            result = formula(evidence)
        except ValueError as error:
            if metric in singly:
                raise
            evidence.note(f"{metric} is left out: {error}")
            errors.append(error)
            continue
        parts = {"": result} if isinstance(result, Score) else result
        scores = {f"{metric}_{part}".rstrip("_"): score for part, score in parts.items()}
        whole = not named or metric in named or metric in groups
        details |= {name: score for name, score in scores.items() if whole or name in named}
    if errors and not details:
        raise errors[0]
    return details


def names_of(metrics: Iterable[str]) -> list[str]:
    """The names of metrics, of their parts and of groups that a user passed as ``metrics``.

    Raises
    ------
    TypeError, ValueError
        If one is unknown, or there are none.
    """
    if isinstance(metrics, str) or not isinstance(metrics, Iterable):
        raise TypeError(f"metrics takes a list of names, got {metrics!r}, as in ['mig']")
    result = [_validation.choice("metrics", name, _known()) for name in metrics]
    if not result:
        raise ValueError("metrics takes at least one name, got none")
    return result


@cache
def _known() -> list[str]:
    parts = [name for name, entry in CATALOGUE.items() if entry.metric]
    return list(dict.fromkeys([*METRICS, *GROUPS, *parts]))


def _check_bootstrap(bootstrap: int, confidence: float, estimator: str) -> None:
    _validation.integer("bootstrap", bootstrap, 0)
    if bootstrap == 1:
        raise ValueError("bootstrap takes 0 or at least 2 resamples, got 1")
    _validation.number("confidence", confidence, above=0.0)
    if confidence >= 1:
        raise ValueError(f"confidence takes a number above 0 and below 1, got {confidence}")
    if bootstrap and estimator == "kraskov":
        raise ValueError(
            "bootstrap takes 0 for the kraskov estimator: a row that is drawn twice is its own "
            f"nearest neighbour; got {bootstrap}"
        )


def _chosen(names: list[str] | None, convention: str) -> list[Metric]:
    if names is None:
        return [metric for metric in METRICS.values() if convention in metric.formulas]
    result: dict[str, Metric] = {}
    for name in names:
        if name in GROUPS:
            result |= {m.name: m for m in GROUPS[name] if convention in m.formulas}
        else:
            metric = METRICS[_metric_of(name)]
            result[metric.name] = metric
    if not result:
        raise ValueError(
            f"metrics takes names of which the {convention} convention has some, got {names}"
        )
    return list(result.values())


def _metric_of(name: str) -> str:
    return name if name in METRICS else CATALOGUE[name].metric
