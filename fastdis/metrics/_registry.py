"""The panel: every metric by name, and in groups by what it reads."""

from __future__ import annotations

from fastdis.metrics._metric import Metric
from fastdis.metrics.from_codes.active import ACTIVE_UNITS
from fastdis.metrics.from_codes.gaussian import (
    GAUSSIAN_TOTAL_CORRELATION,
    GAUSSIAN_WASSERSTEIN_CORRELATION,
    MUTUAL_INFORMATION_SCORE,
)
from fastdis.metrics.from_histograms.dmig import DLIG, DMIG, XMIG
from fastdis.metrics.from_histograms.edi import EDI_METRIC
from fastdis.metrics.from_histograms.infomec import INFOC, INFOM
from fastdis.metrics.from_histograms.information import DCIMIG, MODULARITY
from fastdis.metrics.from_histograms.jemmig import JEMMIG, JEMMIG_RAW
from fastdis.metrics.from_histograms.mig import MIG, MIG_SUP
from fastdis.metrics.from_interventions.irs import IRS
from fastdis.metrics.from_interventions.z_diff import Z_DIFF
from fastdis.metrics.from_interventions.z_var import Z_MAX_VAR, Z_MIN_VAR
from fastdis.metrics.from_predictors.dci import DCI_METRIC
from fastdis.metrics.from_predictors.dci_es import DCI_ES
from fastdis.metrics.from_predictors.explicitness import EXPLICITNESS
from fastdis.metrics.from_predictors.infoe import INFOE
from fastdis.metrics.from_predictors.knn import KNN_ACCURACY
from fastdis.metrics.from_predictors.probe import PROBE
from fastdis.metrics.from_predictors.sap import SAP

GROUPS: dict[str, tuple[Metric, ...]] = {
    "histogram": (
        MIG, MIG_SUP, DMIG, XMIG, DLIG, JEMMIG, JEMMIG_RAW, DCIMIG, MODULARITY, INFOM, INFOC,
        EDI_METRIC,
    ),
    "predictors": (SAP, DCI_METRIC, DCI_ES, EXPLICITNESS, INFOE, KNN_ACCURACY, PROBE),
    "interventions": (Z_DIFF, Z_MIN_VAR, Z_MAX_VAR, IRS),
    "unlabelled": (
        GAUSSIAN_TOTAL_CORRELATION, GAUSSIAN_WASSERSTEIN_CORRELATION, MUTUAL_INFORMATION_SCORE,
        ACTIVE_UNITS,
    ),
}  # fmt: skip
METRICS: dict[str, Metric] = {metric.name: metric for group in GROUPS.values() for metric in group}
