"""The figures of a sweep: a score against each swept option, a line per objective and latent size.

One subplot per option that was swept. A model without the option is a horizontal line there, with
its deviation at the right end. Without a swept number the axis is the latent size, or the models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fastdis.metrics._catalogue import Entry
from fastdis.reports import data_uris
from fastdis.reports.figures import FAINT, INK, plain_axes
from fastdis.reports.sweep.results import Combination, Spread, SweepResults, text_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito (2008) without yellow, invisible on white.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK)
MARKERS, DASHES = ("o", "s", "^", "D", "v"), ("-", "--", ":", "-.")
SUBPLOT = (3.3, 2.3)  # inches
DODGE = 0.012  # of the axis between the error bars of neighbouring lines
WIDE = 8.0  # the ratio of the ends of an axis from which on it is logarithmic
MOST_TICKS = 7
_BAR: dict[str, Any] = {"capsize": 1.5, "elinewidth": 0.8, "capthick": 0.8}


@dataclass
class Line:
    """Points in one colour and style, or the ``level`` of a model without a value on the axis."""

    label: str
    color: str
    style: int  # of marker and dashes
    points: list[tuple[float, Combination]] = field(default_factory=list)
    level: Combination | None = None


@dataclass(frozen=True)
class Subplot:
    """The name of the axis, and the lines."""

    name: str
    lines: list[Line]


def subplots_of(results: SweepResults) -> list[Subplot]:
    """The subplots of every figure; none where neither a number nor a size was swept."""
    axis = {each.objective: _axis(each.objective, results) for each in results.summary}
    names = [name for name in dict.fromkeys(axis.values()) if name]
    sizes = sorted({each.latent_dim for each in results.summary})
    if names:
        return [Subplot(name, _by_option(results, name, axis, sizes)) for name in names]
    return [Subplot("latent size", _by_size(results))] if len(sizes) > 1 else []


def _axis(objective: str, results: SweepResults) -> str:
    """The option that an objective's scores are drawn against: beta, or the first that differs."""
    values: dict[str, set[Any]] = {}
    for each in results.summary:
        if each.objective == objective:
            for key, value in each.options.items():
                if isinstance(value, int | float) and not isinstance(value, bool):
                    values.setdefault(key, set()).add(value)
    swept = [key for key, found in values.items() if len(found) > 1]
    return "beta" if "beta" in swept else next(iter(swept), "")


def _models(
    results: SweepResults, axis: Mapping[str, str]
) -> Iterator[tuple[Combination, str, str]]:
    """Each combination, its name without the option that is its axis, and its colour."""
    colors: dict[str, str] = {}
    for each in results.summary:
        others = {key: v for key, v in each.options.items() if key != axis.get(each.objective)}
        name = results.name_of(each.objective, others)
        yield each, name, colors.setdefault(name, COLORS[len(colors) % len(COLORS)])


def _by_option(
    results: SweepResults, option: str, axis: Mapping[str, str], sizes: Sequence[int]
) -> list[Line]:
    """The objectives with this axis, and as levels those without any axis."""
    lines: dict[str, Line] = {}
    for each, model, color in _models(results, axis):
        if axis[each.objective] not in ("", option):
            continue
        name = f"{model}, latent {each.latent_dim}" if len(sizes) > 1 else model
        line = lines.setdefault(name, Line(name, color, sizes.index(each.latent_dim)))
        if not axis[each.objective] or option not in each.options:
            line.level = each
        elif each.finished:
            line.points.append((each.options[option], each))
    return _in_order(lines.values())


def _by_size(results: SweepResults) -> list[Line]:
    lines: dict[str, Line] = {}
    for each, model, color in _models(results, {}):
        line = lines.setdefault(model, Line(model, color, 0))
        if each.finished:
            line.points.append((each.latent_dim, each))
    return _in_order(lines.values())


def _in_order(lines: Iterable[Line]) -> list[Line]:
    return [replace(line, points=sorted(line.points, key=lambda at: at[0])) for line in lines]


def score_figure(results: SweepResults, subplots: Sequence[Subplot], score: Entry) -> str:
    """One score in all subplots, as a PNG."""
    from matplotlib.figure import Figure

    if not subplots:
        return _models_figure(results, score)
    figure = Figure(figsize=(SUBPLOT[0] * len(subplots), SUBPLOT[1]), dpi=190, layout="constrained")
    every = figure.subplots(1, len(subplots), sharey=True, squeeze=False)[0]
    for axes, subplot in zip(every, subplots, strict=True):
        values = sorted({x for line in subplot.lines for x, _ in line.points})
        _scale(axes, values)
        levels = 0
        for number, line in enumerate(subplot.lines):
            aside = DODGE * (number - (len(subplot.lines) - 1) / 2)
            _draw_points(axes, line, score.name, _moved(values, aside))
            if line.level is not None and score.name in line.level.values:
                levels += 1
                _draw_level(axes, line, line.level.values[score.name], 1.0 + 2.0 * DODGE * levels)
        plain_axes(axes)
        axes.grid(axis="y", color=FAINT, linewidth=0.5)
        axes.set_xlabel(subplot.name, fontsize=7.5, color=INK)
    return data_uris.figure_uri(figure)


def _draw_points(axes: Axes, line: Line, key: str, place: Callable[[float], float]) -> None:
    shown = [(x, each.values[key]) for x, each in line.points if key in each.values]
    if shown:
        axes.errorbar(
            [place(x) for x, _ in shown], [s.mean for _, s in shown],
            [s.deviation or 0.0 for _, s in shown], color=line.color, **_style(line), **_BAR,
        )  # fmt: skip


def _draw_level(axes: Axes, line: Line, level: Spread, place: float) -> None:
    """A horizontal line over the whole axis, with its deviation at ``place`` beside the axis."""
    style = DASHES[line.style % len(DASHES)]
    axes.axhline(level.mean, color=line.color, lw=0.9, ls=style)
    axes.errorbar(
        place, level.mean, level.deviation or 0.0, color=line.color, ls="", clip_on=False,
        transform=axes.get_yaxis_transform(), **_BAR,
    )  # fmt: skip


def _moved(values: Sequence[float], aside: float) -> Callable[[float], float]:
    """The place of a value, moved right by this share of the axis."""
    if _is_wide(values):
        return lambda x: x * (values[-1] / values[0]) ** aside
    span = values[-1] - values[0] if len(values) > 1 else 1.0
    return lambda x: x + aside * span


def _is_wide(values: Sequence[float]) -> bool:
    return bool(values) and values[0] > 0.0 and values[-1] >= WIDE * values[0]


def _style(line: Line) -> dict[str, Any]:
    return {
        "marker": MARKERS[line.style % len(MARKERS)], "ms": 3.5, "lw": 1.2,
        "ls": DASHES[line.style % len(DASHES)],
    }  # fmt: skip


def _scale(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis where the values span a wide range, with the values as its ticks."""
    if not values:
        axes.set_xticks([])
        return
    if _is_wide(values):
        axes.set_xscale("log")
    if len(values) <= MOST_TICKS:
        axes.set_xticks(values, [text_of(value) for value in values])
        axes.minorticks_off()


def _models_figure(results: SweepResults, score: Entry) -> str:
    """One model per line, where nothing was swept."""
    from matplotlib.figure import Figure

    shown = [each for each in results.summary if score.name in each.values]
    figure = Figure(figsize=(SUBPLOT[0], 0.5 + 0.24 * len(shown)), dpi=190, layout="constrained")
    axes = figure.add_subplot()
    for place, each in enumerate(shown):
        spread = each.values[score.name]
        axes.errorbar(
            spread.mean, place, xerr=spread.deviation or 0.0, color=COLORS[0], marker="o", ms=3.5,
            **_BAR,
        )  # fmt: skip
    names = [results.name_of(each.objective, each.options) for each in shown]
    axes.set_yticks(range(len(shown)), names)
    axes.invert_yaxis()
    plain_axes(axes)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    return data_uris.figure_uri(figure)


def legend(subplots: Sequence[Subplot]) -> list[tuple[str, str]]:
    """The lines of all subplots: (name, PNG of a piece of the line)."""
    from matplotlib.figure import Figure

    lines = {line.label: line for subplot in subplots for line in subplot.lines}
    figure = Figure(figsize=(0.44, 0.15), dpi=190)
    pieces = []
    for name, line in lines.items():
        figure.clear()
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        style = _style(line) | ({} if line.points else {"marker": ""})
        axes.plot([0, 1, 2], [0, 0, 0], color=line.color, markevery=[1], **style)
        axes.axis("off")
        pieces.append((name, data_uris.figure_uri(figure, colors=16)))
    return pieces
