"""Disentanglement scores of codes (N, D) against factors (N, K), one function each.

Metrics stand in ``from_histograms``, ``from_predictors``, ``from_interventions``, ``from_codes``
and ``trajectories``; ``evaluation`` runs them together and ``scores`` holds what comes out. They
read an ``_evidence.Evidence``, whose counts come from ``_counts``; ``_fits`` is what predictors
share. Each file declares its metrics with ``_metric.metric``; ``_catalogue`` finds them.

Parameters that the metrics share
---------------------------------
factors
    ``(N, K)`` numbers or text, a torch tensor on any device, a memory map, or a
    :class:`fastdis.FactorTable`; or, for metrics of histograms, a :class:`JointHistogram` alone.
    Without ``codes``: chunks, an iterable of pairs ``(factors, codes)`` or a function that returns
    one. Metrics of histograms count chunks and let them go; the others put them together.
codes
    ``(N, D)`` numbers, a torch tensor or a memory map.
bins
    How codes and continuous factors are cut: a number of bins of equal width over each column's
    range, or :class:`Bins` (a stated range, quantiles, given edges). None is 20, or 10 under the
    ubisoft and published conventions.
discrete
    Which factors keep their levels: True or False for all, or one bool per factor. With None the
    kinds of a FactorTable decide, or the columns of an array: see :func:`joint_histogram`. The
    kind also decides how a factor is predicted: an ordinal or continuous one by regression, a
    categorical one by classification.
convention
    See below.
estimator
    Of entropies and mutual information: ``"plugin"``, the shares themselves;
    ``"miller_madow"``, less biased where rows are few; ``"kraskov"``, from nearest neighbours, with
    no bins of the codes.
active
    Which codes are scored. None: all, and a dead one counts as each metric says. ``"informative"``:
    those that tell more about some factor than chance would. Or a bool per code.
seed
    Of the metrics that draw rows or fit a model.

Conventions
-----------
``"standard"``
    Each metric as the paper that introduced it defines it. Discrete factors keep their levels,
    continuous ones and all codes are cut into 20 bins, entropies are plug-in estimates in nats,
    and dead codes and constant factors have stated values.

``"disentanglement_lib"``
    As that library computes it: every factor keeps its levels, 20 bins of equal width.

``"ubisoft"``
    As Ubisoft's code computes it: codes and continuous factors are scaled to 0 to 1 and cut at
    0.1, 0.2, ..., 0.9; MIG divides by the entropy of the code.

``"published"``
    What the published SynTone evaluation did, to the letter, so that its figures can be repeated:
    Ubisoft's code with factors and codes in each other's place. The means run over codes, the gaps
    over factors; a perfect representation with spare codes scores low, an entangled one may not.
    Every factor counts as continuous, and SAP is the gap in R^2 of lines. Arguments are passed the
    right way round; the swap happens inside.

Where a library's code fails or gives NaN, the metric says which value it has here. Edge cases have
values that each function states, or raise ``ValueError`` or ``TypeError``; what was left out or
guessed is said in a :class:`MetricWarning`.
"""

from __future__ import annotations

from typing import Any

from fastdis.metrics._catalogue import GROUPS, METRICS
from fastdis.metrics._counts.bins import Bins
from fastdis.metrics._counts.conventions import CONVENTIONS, PUBLISHED_BINS
from fastdis.metrics._counts.histogram import JointHistogram, MetricWarning
from fastdis.metrics._metric import Score
from fastdis.metrics.counting import joint_histogram
from fastdis.metrics.evaluation import evaluate
from fastdis.metrics.from_codes.active import active_codes, active_units
from fastdis.metrics.from_codes.gaussian import (
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
    mutual_information_score,
)
from fastdis.metrics.from_codes.posterior import Separation, informativeness, separation
from fastdis.metrics.from_codes.udr import UDR, udr
from fastdis.metrics.from_histograms.dcimig import dcimig
from fastdis.metrics.from_histograms.dmig import dlig, dmig, xmig
from fastdis.metrics.from_histograms.edi import EDI, edi
from fastdis.metrics.from_histograms.infomec import infoc, infom
from fastdis.metrics.from_histograms.jemmig import jemmig
from fastdis.metrics.from_histograms.mig import mig, mig_sup
from fastdis.metrics.from_histograms.modularity import modularity
from fastdis.metrics.from_interventions.irs import irs
from fastdis.metrics.from_interventions.z_diff import z_diff
from fastdis.metrics.from_interventions.z_var import z_max_var, z_min_var
from fastdis.metrics.from_predictors.dci import DCI, dci
from fastdis.metrics.from_predictors.dci_es import DCIES, dci_es
from fastdis.metrics.from_predictors.explicitness import explicitness
from fastdis.metrics.from_predictors.infoe import infoe
from fastdis.metrics.from_predictors.knn import GroupAccuracy, knn_accuracy
from fastdis.metrics.from_predictors.probe import probe
from fastdis.metrics.from_predictors.sap import sap
from fastdis.metrics.of_models import SCORED_BY, code_information, evaluate_model, panel
from fastdis.metrics.scores import Scores
from fastdis.metrics.trajectories import monotonicity, smoothness

__all__ = [
    "CONVENTIONS",
    "DCI",
    "DCIES",
    "EDI",
    "GROUPS",
    "METRICS",
    "PUBLISHED_BINS",
    "SCORED_BY",
    "UDR",
    "Bins",
    "GroupAccuracy",
    "JointHistogram",
    "MetricWarning",
    "Score",
    "Scores",
    "Separation",
    "active_codes",
    "active_units",
    "code_information",
    "dci",
    "dci_es",
    "dcimig",
    "dlig",
    "dmig",
    "edi",
    "evaluate",
    "evaluate_model",
    "explicitness",
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "infoc",
    "infoe",
    "infom",
    "informativeness",
    "irs",
    "jemmig",
    "joint_histogram",
    "knn_accuracy",
    "mig",
    "mig_sup",
    "modularity",
    "monotonicity",
    "mutual_information_score",
    "panel",
    "probe",
    "sap",
    "separation",
    "smoothness",
    "udr",
    "xmig",
    "z_diff",
    "z_max_var",
    "z_min_var",
]


def __getattr__(name: str) -> Any:
    """The function of a metric that a file declares, but that is not listed above."""
    if name in METRICS and METRICS[name].function is not None:
        return METRICS[name].function
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
