"""The tables and the figure of docs/syntone.md, from what syntone_seeds.py measured."""

from pathlib import Path

import numpy as np
import pages
from scipy.stats import kendalltau

from fastdis.objectives import TITLES
from fastdis.reports.text import markdown_lines
from fastdis.studies.syntone.paper import TABLE_1

DOCS = Path(__file__).resolve().parents[1]
PAGE, FIGURE = DOCS / "syntone.md", DOCS / "syntone-seeds.png"
COMMAND = "python docs/make/syntone_seeds.py"
METRICS = {
    "mig": "MIG", "sap": "SAP", "dcimig": "DCIMIG", "jemmig": "JEMMIG", "modularity": "Modularity",
    "dci_disentanglement": "DCI D", "dci_informativeness": "DCI I",
}  # fmt: skip
BLOCKS = {  # title -> protocol of training, convention of scoring
    "published training, published scoring": ("published", "published"),
    "published training, standard scoring": ("published", "standard"),
    "corrected training, published scoring": ("sound", "published"),
    "corrected training, standard scoring": ("sound", "standard"),
}


def scores_of(results, protocol, convention, name, metric):
    """The score of every seed, as an array; empty if the convention has no such score."""
    found = [
        model["scores"][convention].get(metric, [None])[0]
        for model in results["models"]
        if model["protocol"] == protocol and model["name"] == name
    ]
    return np.array([score for score in found if score is not None])


def write(results):
    """Fill the tables of the page, and draw the figure."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(pages.filled(page, COMMAND, TABLES, results), encoding="utf-8")
    draw(results)


def score_table(results):
    """Mean and deviation over the seeds of every model by every pair of protocols."""
    lines = [
        ["as printed in the paper" if name == "vae" else "", TITLES[name],
         *(f"{row[m][0]:.3f}" if m in row else "–" for m in METRICS)]
        for name, row in TABLE_1.items()
    ]  # fmt: skip
    for title, (protocol, convention) in BLOCKS.items():
        for name in TABLE_1:
            cells = [scores_of(results, protocol, convention, name, metric) for metric in METRICS]
            lines.append(
                [title if name == "vae" else "", TITLES[name],
                 *(f"{c.mean():.3f} ± {c.std(ddof=1):.3f}" if len(c) else "–" for c in cells)]
            )  # fmt: skip
    return markdown_lines(["training and scoring", "model", *METRICS.values()], lines)


def ranking_table(results):
    """The order of the four models by each score, and how much of it is due to the seeds."""
    lines = []
    for title, (protocol, convention) in BLOCKS.items():
        for metric, head in METRICS.items():
            each = [scores_of(results, protocol, convention, name, metric) for name in TABLE_1]
            if all(map(len, each)):
                first = title if metric == "mig" else ""
                lines.append([first, head, *_ranking(np.array(each), metric)])
    return markdown_lines(
        ["training and scoring", "score", "order of the means, best first",
         "share of variance: objective", "best in how many seeds", "tau with the paper"],
        lines,
    )  # fmt: skip


def _ranking(scores, metric):
    """The cells of one score, an array (models, seeds)."""
    names = list(TABLE_1)
    order = np.argsort(-scores.mean(axis=1))
    between = scores.shape[1] * (scores.mean(axis=1) - scores.mean()) ** 2
    share = between.sum() / max(((scores - scores.mean()) ** 2).sum(), 1e-300)
    wins = np.bincount(scores.argmax(axis=0), minlength=len(names))
    best = order[0]
    cells = [
        " > ".join(TITLES[names[i]] for i in order),
        f"{share:.0%}",
        f"{TITLES[names[best]]} {wins[best]} of {scores.shape[1]}",
    ]
    printed = [TABLE_1[name].get(metric, (None,))[0] for name in names]
    if None in printed:
        return [*cells, "–"]
    taus = [kendalltau(seed, printed).statistic for seed in scores.T]
    return [*cells, f"{kendalltau(scores.mean(axis=1), printed).statistic:+.2f} "
            f"({min(taus):+.2f} to {max(taus):+.2f})"]  # fmt: skip


def settings(results):
    """What was trained, in one sentence."""
    waits = [row["waiting"] for model in results["models"] for row in model["history"]]
    epochs = results["epochs"]
    return (
        f"{results['seeds']} seeds per model, {epochs} epochs of 25,600 clips (FactorVAE "
        f"{2 * epochs}),\nbatch 64 (FactorVAE 128), float32; training waited for batches at most "
        f"{max(waits):.1%} of its time."
    )


def draw(results):
    """Every seed as a point, the paper's figure as a line."""
    from matplotlib.figure import Figure

    shown = ("mig", "sap", "dcimig", "jemmig", "modularity", "dci_disentanglement")
    figure = Figure(figsize=(13, 11), layout="constrained")
    axes = figure.subplots(len(BLOCKS), len(shown), sharex=True)
    for i, (title, (protocol, convention)) in enumerate(BLOCKS.items()):
        for j, metric in enumerate(shown):
            ax = axes[i, j]
            for k, name in enumerate(TABLE_1):
                scores = scores_of(results, protocol, convention, name, metric)
                ax.plot(k + np.linspace(-0.15, 0.15, len(scores)), scores, ".", color=f"C{k}")
                if len(scores):
                    ax.plot([k - 0.3, k + 0.3], [scores.mean()] * 2, color=f"C{k}")
                if metric in TABLE_1[name] and convention == "published":
                    ax.plot(k, TABLE_1[name][metric][0], "x", color="black", ms=6)
            if not len(scores):
                ax.set_axis_off()
            ax.set_xticks(range(len(TABLE_1)), [TITLES[name] for name in TABLE_1], rotation=45)
            ax.tick_params(labelsize=8)
            ax.set_ylim(bottom=0.0)
            if i == 0:
                ax.set_title(METRICS[metric], fontsize=10)
        axes[i, 0].set_ylabel(title.replace(", ", ",\n"), fontsize=9)
    figure.savefig(FIGURE, dpi=100)


TABLES = {"settings": settings, "scores": score_table, "ranking": ranking_table}
