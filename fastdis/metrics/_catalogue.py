"""The panel and the catalogue: every metric by name and in groups, and what is known of each score.

Every file of the folders below is imported, and declares its metrics with ``@metric``. What a score
measures is in the terms of Carbonneau et al. 2022, "Measuring Disentanglement: A Review of
Metrics": modularity (a code holds one factor at most), compactness (a factor is held by one code),
explicitness (the factors can be predicted from the codes, and simply), or several of them. Reports
and docs/metrics.md take their words from here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Sequence

from fastdis.metrics import from_codes, from_histograms, from_interventions, from_predictors
from fastdis.metrics import trajectories as trajectories
from fastdis.metrics._metric import Entry as Entry
from fastdis.metrics._metric import Metric, declared, entries

# The order of the panel, and that in which reports and the documentation list scores, by what they
# measure. What is not named here follows, by name.
_PANEL = (
    "mig", "mig_sup", "dmig", "xmig", "dlig", "jemmig", "jemmig_raw", "dcimig", "modularity",
    "infom", "infoc", "edi", "sap", "dci", "dci_es", "explicitness", "infoe", "knn_accuracy",
    "probe", "z_diff", "z_min_var", "z_max_var", "irs", "gaussian_total_correlation",
    "gaussian_wasserstein_correlation", "mutual_information_score", "active_units",
)  # fmt: skip
_LISTED = (
    "mig", "sap", "dcimig", "jemmig", "jemmig_raw", "modularity", "dci_disentanglement",
    "dci_completeness", "dci_informativeness", "mig_sup", "dlig", "infom", "edi_modularity",
    "irs", "z_diff", "z_min_var", "z_max_var", "dmig", "xmig", "infoc", "edi_compactness",
    "explicitness", "infoe", "edi_explicitness", "probe", "knn_accuracy", "dci_es_explicitness",
    "dci_es_disentanglement", "dci_es_completeness", "dci_es_informativeness", "dci_es_size",
    "gaussian_total_correlation", "gaussian_wasserstein_correlation",
    "mutual_information_score", "active_units", "udr", "smoothness", "monotonicity",
    "informativeness", "wsepin",
)  # fmt: skip
_GROUPS = ("histogram", "predictors", "interventions", "unlabelled")


def _in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    places = {name: place for place, name in enumerate(order)}
    return sorted(names, key=lambda name: (places.get(name, len(places)), name))


for _folder in (from_histograms, from_predictors, from_interventions, from_codes):
    for _file in pkgutil.iter_modules(_folder.__path__, f"{_folder.__name__}."):
        importlib.import_module(_file.name)

METRICS: dict[str, Metric] = {name: declared[name] for name in _in_order(declared, _PANEL)}
GROUPS: dict[str, tuple[Metric, ...]] = {
    group: tuple(metric for metric in METRICS.values() if metric.group == group)
    for group in _GROUPS
}
CATALOGUE: dict[str, Entry] = {name: entries[name] for name in _in_order(entries, _LISTED)}
