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
from collections.abc import Iterable

from fastdis.metrics import from_codes, from_histograms, from_interventions, from_predictors
from fastdis.metrics import trajectories as trajectories
from fastdis.metrics._metric import Entry as Entry
from fastdis.metrics._metric import Metric, declared, entries

# The order in which scores are listed; metrics that are not named follow, by name.
_ORDER = (
    "mig", "mig_sup", "dmig", "xmig", "dlig", "jemmig", "jemmig_raw", "dcimig", "modularity",
    "infom", "infoc", "edi", "sap", "dci", "dci_es", "explicitness", "infoe", "knn_accuracy",
    "probe", "z_diff", "z_min_var", "z_max_var", "irs", "gaussian_total_correlation",
    "gaussian_wasserstein_correlation", "mutual_information_score", "active_units",
    "udr", "smoothness", "monotonicity", "informativeness", "wsepin",
)  # fmt: skip
_GROUPS = ("histogram", "predictors", "interventions", "unlabelled")


def _in_order(names: Iterable[str]) -> list[str]:
    places = {name: place for place, name in enumerate(_ORDER)}
    return sorted(names, key=lambda name: (places.get(name, len(places)), name))


for _folder in (from_histograms, from_predictors, from_interventions, from_codes):
    for _file in pkgutil.iter_modules(_folder.__path__, f"{_folder.__name__}."):
        importlib.import_module(_file.name)

METRICS: dict[str, Metric] = {name: declared[name] for name in _in_order(declared)}
GROUPS: dict[str, tuple[Metric, ...]] = {
    group: tuple(metric for metric in METRICS.values() if metric.group == group)
    for group in _GROUPS
}
CATALOGUE: dict[str, Entry] = {
    name: entries[name]
    for metric in _in_order({entry.metric or entry.name for entry in entries.values()})
    for name in entries
    if metric == (entries[name].metric or name)
}
