"""Print the score table of docs/results.md from a committed results file of the SynTone study.

The file is the ``results.json`` that ``fastdis run --preset paper`` writes into its run folder.
"""

import json
import sys
from pathlib import Path

from fastdis.objectives import TITLES
from fastdis.studies.syntone.paper import TABLE_1

FILE = (
    Path(__file__).resolve().parents[2]
    / "benchmarks"
    / "results"
    / "syntone-paper-nvidia-h200.json"
)
METRICS = {
    "mig": "MIG", "sap": "SAP", "dcimig": "DCIMIG", "jemmig": "JEMMIG",
    "modularity": "Modularity", "dci_disentanglement": "DCI D", "dci_informativeness": "DCI I",
}  # fmt: skip
COLUMNS = {
    "as printed in the paper": None,
    "published protocol, published scoring": ("published", "published"),
    "the same models, standard scoring": ("published", "standard"),
    "corrected protocol, standard scoring": ("sound", "standard"),
}


def cell(score):
    return "–" if score is None else f"{score[0]:.3f} ± {score[1]:.3f}"


def main(file):
    results = json.loads(Path(file).read_text())
    scores = {(m["protocol"], m["name"]): m["scores"] for m in results["models"]}
    print("|  |  | " + " | ".join(METRICS.values()) + " |")
    print("|---" * (2 + len(METRICS)) + "|")
    for title, column in COLUMNS.items():
        for name in TABLE_1:
            row = TABLE_1[name] if column is None else scores[column[0], name][column[1]]
            cells = [cell(row.get(metric)) for metric in METRICS]
            head = title if name == "vae" else ""
            print(f"| {head} | {TITLES[name]} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else FILE)
