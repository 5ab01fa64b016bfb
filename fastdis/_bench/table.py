"""Results as Markdown: the table of rows, what holds the slow ones back, the machine."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from fastdis._bench.first_calls import FirstCall
from fastdis._bench.limits import Limits
from fastdis._bench.measure import LOW_SHARE, Outcome
from fastdis._bench.speedup import Speedup
from fastdis.reports.text import markdown_lines

_HEADER = ("work", "against", "fastdis", "peer", "ratio", "at least", "of its limit",
           "error (at most)", "spread")  # fmt: skip


def rows_table(outcomes: Iterable[Outcome], limits: Limits) -> str:
    """One line a row: both speeds, their ratio, its target, the limit, the error, the spread."""
    return markdown_lines(_HEADER, (_line(outcome, limits) for outcome in outcomes))


def _line(outcome: Outcome, limits: Limits) -> tuple[str, ...]:
    row = outcome.row
    target = "" if row.at_least is None else f"{row.at_least:g}x "
    bound = f"({row.error_at_most:g})"
    if math.isnan(outcome.ratio):
        return row.work, row.peer, outcome.note, "", "", target.strip(), "", bound, ""
    peer = f"{row.peer} ({outcome.setting})" if outcome.setting else row.peer
    share, limit = outcome.share(limits)
    return (
        row.work, peer,
        f"{speed(outcome.ours)} {row.unit}/s", f"{speed(outcome.peer)} {row.unit}/s",
        f"**{ratio(outcome.ratio)}**",
        target + ("" if outcome.reached is None else reached(outcome.reached)),
        f"{share:.0%} ({limit})" if limit else "",
        f"{outcome.error:.1g} {bound} {row.error_of}", f"{outcome.spread:.0%}",
    )  # fmt: skip


def reached(was: bool) -> str:
    """What a column says of a figure to be reached."""
    return "reached" if was else "**not reached**"


def ratio(value: float) -> str:
    """Such as ``"3.4x"`` or ``"120x"``."""
    return f"{value:.1f}x" if value < 10 else f"{value:,.0f}x"


def speed(value: float) -> str:
    """Three significant digits, with commas."""
    if value < 100:
        return f"{value:.3g}"
    digits = 10 ** (math.floor(math.log10(value)) - 2)
    return f"{round(value / digits) * digits:,}"


def held_back(outcomes: Iterable[Outcome], limits: Limits) -> str:
    """What holds back each work that is under 40% of its limit, under a line that says so."""
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.share(limits)[0] < LOW_SHARE:
            reasons.setdefault(outcome.row.held_back, []).append(outcome.row.work)
    if not reasons:
        return f"No row is under {LOW_SHARE:.0%} of its limit."
    lines = [f"- {'; '.join(dict.fromkeys(w))}: {reason}." for reason, w in reasons.items()]
    return "\n".join(
        [f"Rows under {LOW_SHARE:.0%} of their limit, and what holds them back:", "", *lines]
    )


def limits_table(limits: Limits) -> str:
    """The measured limits of the machine, and how they were measured."""
    rows = (
        ("copy, bytes read and written", f"{limits.copy / 1e9:.0f} GB/s"),
        ("fill, bytes written", f"{limits.fill / 1e9:.0f} GB/s"),
        (f"float32 multiply-adds, {limits.by}", f"{limits.multiply_adds / 1e9:.0f} billion/s"),
    )
    return markdown_lines(("limit", "measured"), rows)


def first_calls_table(calls: Iterable[FirstCall]) -> str:
    """What a fresh process waits for."""
    rows = (
        (c.name, c.note or f"{c.seconds * 1000:.0f} ms", f"{c.at_most * 1000:,.0f} ms",
         "" if c.note else reached(c.seconds <= c.at_most))
        for c in calls
    )  # fmt: skip
    return markdown_lines(("in a fresh process, caches warm", "takes", "at most", ""), rows)


def speedups_table(speedups: Sequence[Speedup]) -> str:
    """Each kernel on one thread and on all."""
    if not speedups:
        return "Only one thread here."
    rows = (
        (s.work, f"{speed(s.one)} {s.unit}/s", f"{speed(s.all)} {s.unit}/s",
         f"**{s.ratio:.2f}x**", f"{s.spread:.0%}")
        for s in speedups
    )  # fmt: skip
    return markdown_lines(
        ("work", "1 thread", f"{speedups[0].threads} threads", "ratio", "spread"), rows
    )


def pairs_table(header: Sequence[str], pairs: dict[str, str]) -> str:
    """Names and values."""
    return markdown_lines(header, pairs.items())


def plain(outcome: Outcome, limits: Limits) -> dict[str, Any]:
    """The figures of a row, as JSON can hold them."""
    share, limit = outcome.share(limits)
    figures = vars(outcome) | {"share": share, "limit": limit}
    row = figures.pop("row")
    return {
        "work": row.work, "against": row.peer, "unit": row.unit, "at_least": row.at_least,
        "error_at_most": row.error_at_most, "error_of": row.error_of, "reached": outcome.reached,
        **without_nan(figures),
    }  # fmt: skip


def without_nan(figures: dict[str, Any]) -> dict[str, Any]:
    """With None for NaN, which JSON does not have."""
    return {key: None if value != value else value for key, value in figures.items()}
