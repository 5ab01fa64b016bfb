"""The verdict on each factor, and the audit's measurements in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from fastdis.datasets.auditing.result import PASS_SHARE, FactorAudit, Outcome


def sentence(audit: FactorAudit, compared: bool) -> str:
    """The verdict on one factor; ``compared`` says whether any pair of clips was."""
    name = audit.name.capitalize()
    score = f"{audit.measure} {audit.accuracy:.2f} (chance {audit.chance:.2f})"
    differ = f"{1.0 - audit.indistinguishable:.0%} of neighbouring levels differ"
    if not compared:
        differ = "no two clips differ in this factor alone, so levels could not be compared"
    noise = (
        f"a naive-Bayes (Student-t) classifier that is given all other factors confuses "
        f"{audit.confused or 0.0:.1%} of neighbouring levels (chance 50%)"
    )
    partly = "" if audit.indistinguishable > 1.0 - PASS_SHARE else "partly "
    text = {
        Outcome.TRIVIAL: f"{name} has one level: there is nothing to recover.",
        Outcome.KEPT: f"{name} can be recovered: {differ}; a held-out predictor reaches {score}.",
        Outcome.ERASED: f"{name} is {partly}erased: {audit.indistinguishable:.0%} of neighbouring "
        f"levels have the same features; a held-out predictor reaches {score}.",
        Outcome.HIDDEN: f"{name} is partly hidden by noise: {noise}; a held-out predictor reaches "
        f"{score}.",
        Outcome.UNDETECTED: f"{name} is not detected by the held-out predictor, which reaches "
        f"{score}: {differ}{'' if audit.confused is None else f', and {noise}'}.",
    }[audit.outcome]
    if (audit.aliasing or 0.0) > PASS_SHARE:
        text += (
            f" Of the pairs that differ, {audit.aliasing:.0%} differ by aliasing: without it, "
            "less than a tenth of their distance is left."
        )
    return text


def paragraph(audits: Sequence[FactorAudit]) -> str:
    """How many factors can be recovered, which cannot and why, and the verdict on each."""
    kept = [a for a in audits if a.outcome in (Outcome.KEPT, Outcome.TRIVIAL)]
    number = f"All {len(audits)}" if len(kept) == len(audits) else f"{len(kept)} of {len(audits)}"
    text = f"{number} factors can be recovered from the features"
    for outcome in (Outcome.ERASED, Outcome.HIDDEN, Outcome.UNDETECTED):
        names = [a.name for a in audits if a.outcome == outcome]
        text += f"; {outcome}: {', '.join(names)}" if names else ""
    return " ".join([f"{text}.", *(a.verdict for a in audits)])
