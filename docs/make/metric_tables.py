"""The tables of docs/metrics.md: how they read. metric_behaviour.py writes them."""

import numpy as np
import pages

from fastdis.metrics._catalogue import CATALOGUE
from fastdis.reports.text import markdown_lines

COMMAND = "python docs/make/metric_behaviour.py"
GROUPS = {
    "modularity": "Modularity: a code holds one factor. Mixing should cost, spreading should not.",
    "compactness": "Compactness: a factor is held by one code. Spreading and mixing should cost.",
    "explicitness": "Explicitness: the codes tell the factors. Noise should cost, spreading and "
    "mixing should not.",
    "holistic": "Holistic: all in one number.",
    "none of them": "Without factors: dependence of codes in nats; lower is better.",
}
UNPLOTTED = (
    "jemmig_raw", "dci_es_disentanglement", "dci_es_completeness", "dci_es_informativeness",
    "dci_es_size",
)  # fmt: skip
ARROWS = {"higher": "↑", "lower": "↓", "": ""}
LETTERS = {"standard": "S", "disentanglement_lib": "D", "ubisoft": "U", "published": "P"}
MOVED = 0.02


def group_of(name):
    """What a score measures, in a word."""
    return CATALOGUE[name].measures.split(" (")[0]


def groups(scores):
    """The scores that have a direction, by what they measure, in the catalogue's order."""
    result = {group: [] for group in GROUPS}
    for name, entry in CATALOGUE.items():
        if name in scores and entry.better:
            result[group_of(name)].append(name)
    return {group: names for group, names in result.items() if names}


def lines(scores, most):
    """The groups as lines of at most ``most`` plots, each a list of (heading, names).

    The short groups at the end share a line. What would repeat another plot is left to the table,
    and so is the size of DCI-ES, which counts codes.
    """
    result = []
    for group, names in groups(scores).items():
        shown = [name for name in names if name not in UNPLOTTED]
        heading = GROUPS[group]
        if result and group == "none of them" and len(result[-1][0][1]) + len(shown) < most:
            result[-1].append((heading, shown))
            continue
        for start in range(0, len(shown), most):
            result.append([(heading, shown[start : start + most])])
            heading = ""
    return result


def filled(page, figures):
    """The page with every table between its markers written anew."""
    return pages.filled(page, COMMAND, TABLES, figures)


def _number(value):
    return "–" if value is None else f"{value:.2f}".replace("-0.00", "0.00")


def _behaviour(figures):
    """The scores of perfect codes, and at the end of each way."""
    rows = []
    for names in groups(figures["behaviour"]).values():
        for name in names:
            entry, ways = CATALOGUE[name], figures["behaviour"][name]
            start, ends = _perfect(ways), [np.mean(scores[-1]) for scores in ways.values()]
            marked = [
                f"**{_number(end)}**" if entry.better == "higher" and end < start / 2
                else _number(end)
                for end in ends
            ]  # fmt: skip
            rows.append([entry.title, group_of(name), _number(start), *marked])
    caption = (
        "Means over {seeds} seeds of {rows:,} rows (the bands in the picture: their extremes);\n"
        'three continuous factors, {bins} bins, `active="informative"`.\n'
        "Bold: less than half is left. Chance is a third for Z-diff, Z-min and Z-max variance."
    ).format(**figures["settings"])
    return f"{markdown_lines(['score', 'measures', 'perfect', *ways], rows)}\n\n{caption}"


def _perfect(ways):
    return np.mean([scores[0] for scores in ways.values()])


def _panel(_):
    """What is known of every score, a table for each property."""
    parts = []
    for group in GROUPS:
        rows = [
            [
                f"**{e.title}** `{e.name}`, {e.source}", _range(e),
                e.rewards, e.blind, "".join(LETTERS[c] for c in e.conventions) or "–",
            ]
            for e in CATALOGUE.values() if group_of(e.name) == group
        ]  # fmt: skip
        head = ["score", "range, better", "rewards", "blind spots", "conventions"]
        parts.append(f"### {group.capitalize()}\n\n{markdown_lines(head, rows)}")
    return "\n\n".join(parts)


def _range(entry):
    ends = entry.span.replace("inf", "∞").replace("-", "−")
    return f"{ends} {ARROWS[entry.better]}".strip()


def _plain(figures, corner=""):
    """A table of numbers, or of numbers with their intervals, as it was measured."""
    head = list(next(iter(figures.values())))
    rows = [
        [_title(title), *(_cell(row.get(column)) for column in head)]
        for title, row in figures.items()
    ]
    return markdown_lines([corner, *map(_title, head)], rows)


def _title(name):
    return CATALOGUE[name].title if name in CATALOGUE else name


def _cell(value):
    if isinstance(value, list):
        score, low, high = map(_number, value)
        return f"{score} [{low}, {high}]"
    return _number(value)


def _moved(figures):
    """The scores that codes without content move."""
    return {
        name: row
        for name, row in figures.items()
        if CATALOGUE[name].better == "higher" and np.ptp(list(row.values())) > MOVED
    }


def _pairs(figures):
    rows = [[title, _number(x), other, _number(y)] for title, x, other, y in figures]
    return markdown_lines(["trap", "reads", "to compare with", "reads"], rows)


TABLES = {
    "behaviour": _behaviour,
    "panel": _panel,
    "bins of continuous factors": lambda figures: _plain(
        figures["bins"]["continuous"], "continuous factors"
    ),
    "bins of factors of 10 levels": lambda figures: _plain(
        figures["bins"]["levels"], "factors of 10 levels"
    ),
    "outliers": lambda figures: _plain(figures["outliers"]),
    "conventions": lambda figures: _plain(figures["conventions"]),
    "active": lambda figures: _plain(_moved(figures["active"])),
    "intervals": lambda figures: _plain(figures["intervals"]),
    "traps": lambda figures: _pairs(figures["traps"]),
}
