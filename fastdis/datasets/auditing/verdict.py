"""What an audit says in words: what is kept, what is lost, and whose fault it is."""

from __future__ import annotations

from collections.abc import Sequence

from fastdis.datasets.auditing.result import PASS_SHARE, FactorAudit
from fastdis.factors import Factor


def one_level(factor: Factor) -> bool:
    """Whether there is nothing to recover."""
    return bool(factor.values.min() == factor.values.max())


def sentence(audit: FactorAudit, factor: Factor, pairs: int, rendered: bool) -> str:
    """The verdict on one factor; ``rendered`` pairs tell the features' fault from another's."""
    name = factor.name.capitalize()
    if one_level(factor):
        return f"{name} has one level: there is nothing to recover."
    alike, chance = audit.indistinguishable, audit.chance
    found = (
        f"a held-out predictor reaches {audit.measure} {audit.accuracy:.2f} (chance {chance:.2f})"
    )
    compared = f"{1.0 - alike:.0%} of neighbouring levels differ"
    if not pairs:
        compared = "no two clips differ in it alone, so levels could not be compared"
    if alike > 1.0 - PASS_SHARE:
        text = (
            f"{name} is erased: {alike:.0%} of neighbouring levels have the same features, "
            f"and {found}. No model can learn it from this input."
        )
    elif audit.passes and audit.hidden:
        text = (
            f"{name} can be recovered, but not each level: {compared}, and {found}. The noise "
            f"may hide some of it: {_mistaken(audit)}."
        )
    elif audit.passes:
        text = f"{name} can be recovered: {compared}, and {found}."
    else:
        text = f"{name} is in doubt: {compared}, and {found}."
        text += _whose_fault(audit) if rendered else ""
    if audit.aliasing is not None and audit.aliasing > PASS_SHARE:
        text += (
            f" But {audit.aliasing:.0%} of the pairs that differ are told apart by aliasing: "
            "without it, over 90% of their difference is gone."
        )
    return text


def _whose_fault(audit: FactorAudit) -> str:
    """Why a factor is in doubt: its levels look alike, noise hides it, or the predictor fails."""
    if audit.indistinguishable > PASS_SHARE:
        return " Where the levels look alike without any noise, the representation has lost them."
    at_fault = "Not the representation fails but the predictor, which knows nothing else of a clip."
    if audit.confused is None:
        return f" The features differ without any noise. {at_fault}"
    if audit.hidden:
        return f" The noise may hide some of it: {_mistaken(audit)}."
    return f" The features hold it, noise and all: {_mistaken(audit)}. {at_fault}"


def _mistaken(audit: FactorAudit) -> str:
    return (
        f"an observer who knows all else of the clip mistakes {audit.confused:.1%} of the clips "
        "for a neighbour (a guess: 50%)"
    )


def paragraph(audits: Sequence[FactorAudit], rendered: bool) -> str:
    """The verdict on all factors."""
    failed = [a for a in audits if not a.passes]
    names = ", ".join(a.name for a in failed)
    aliased = [a for a in audits if a.aliasing is not None and a.aliasing > PASS_SHARE]
    if not failed and not any(a.hidden for a in audits):
        text = f"All {len(audits)} factors can be recovered from the features."
    elif rendered:
        text = _found_and_held(audits)
    else:
        text = (
            f"{len(audits) - len(failed)} of {len(audits)} factors can be recovered from the "
            f"features; {names} cannot."
        )
    for a in aliased:
        text += f" {a.aliasing:.0%} of {a.name} is aliasing."
    return " ".join([text, *(a.verdict for a in audits)])


def _found_and_held(audits: Sequence[FactorAudit]) -> str:
    """What a predictor finds, what it misses although the features hold it, and what is gone."""
    failed = [a for a in audits if not a.passes]
    missed = ", ".join(a.name for a in failed if a.carried)
    hidden = ", ".join(a.name for a in audits if a.hidden)
    lost = ", ".join(a.name for a in failed if a.indistinguishable > PASS_SHARE)
    text = f"A simple predictor finds {len(audits) - len(failed)} of {len(audits)} factors"
    text += f"; the features hold {missed} as well" if missed else ""
    text += f"; noise may hide some of {hidden}" if hidden else ""
    return text + (f"; {lost} cannot be recovered from the features." if lost else ".")
