"""The result of an audit: measurements and a verdict for each factor, and one for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

PASS_SHARE = 0.05  # of neighbouring levels that may have the same features
HIDDEN_SHARE = 0.1  # of neighbouring levels that noise may confuse


class Outcome(StrEnum):
    """The verdict on a factor: recoverable, or why not."""

    KEPT = "recoverable"
    ERASED = "erased"  # more than 5% of neighbouring levels have the same features
    HIDDEN = "hidden by noise"  # which confuses more than 10% of neighbouring levels
    UNDETECTED = "undetected"  # in the features, but the predictor misses it
    TRIVIAL = "one level"


@dataclass(frozen=True)
class FactorAudit:
    """What the features hold of one factor.

    Attributes
    ----------
    name
        The factor's name.
    indistinguishable
        Share of pairs of neighbouring levels (any two of a categorical factor, a twentieth of the
        range of a continuous one), all other factors equal, whose features agree to 1e-5 of
        their range; without noise where the data set can render so.
    smallest_distance, median_distance
        Root mean square difference of such pairs over that of two random clips.
    accuracy, measure, chance
        Score of a predictor on held-out clips: ``"accuracy"`` for a categorical factor, ``"R²"``
        for another; and the score of a guess.
    aliasing
        Share of the pairs that differ of whose distance less than a tenth is left once the
        waveforms are free of aliasing; None where the data set cannot render them.
    passes
        At most 5% of pairs look alike, and the predictor gets halfway from chance to perfect.
    verdict
        The same in a sentence.
    confused
        Share of neighbouring levels that a naive-Bayes (Student-t) classifier confuses in clips
        with noise, given all other factors; 1/2 is chance. An upper bound of what the noise
        hides: the classifier has seen only sixteen draws of the noise at either level, and takes
        the features for independent. None without noise, or where the data set cannot render
        such draws.
    trivial
        Whether the factor has one level.
    """

    name: str
    indistinguishable: float
    smallest_distance: float
    median_distance: float
    accuracy: float
    measure: str
    chance: float
    aliasing: float | None
    passes: bool
    verdict: str
    confused: float | None = None
    trivial: bool = False

    @property
    def outcome(self) -> Outcome:
        """The verdict in a word.

        ``"hidden by noise"`` may be a factor that ``passes``: the predictor finds its range, and
        noise hides which of two neighbouring levels it is.
        """
        if self.trivial:
            return Outcome.TRIVIAL
        if self.indistinguishable > PASS_SHARE:
            return Outcome.ERASED
        if (self.confused or 0.0) > HIDDEN_SHARE:
            return Outcome.HIDDEN
        return Outcome.KEPT if self.passes else Outcome.UNDETECTED

    @property
    def hidden(self) -> bool:
        """Whether noise confuses more than 10% of neighbouring levels whose features differ."""
        return self.outcome == Outcome.HIDDEN

    @property
    def carried(self) -> bool:
        """Whether the features hold every level, detected by the predictor or not."""
        return self.outcome not in (Outcome.ERASED, Outcome.HIDDEN)


@dataclass(frozen=True)
class Audit:
    """The audits of all factors and a verdict in a paragraph; ``str()`` is a table."""

    factors: tuple[FactorAudit, ...]
    verdict: str

    @property
    def passes(self) -> bool:
        """Whether every factor passes."""
        return all(factor.passes for factor in self.factors)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; :meth:`from_dict` reads them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Audit:
        """The audit that :meth:`to_dict` wrote."""
        return cls(tuple(FactorAudit(**factor) for factor in data["factors"]), data["verdict"])

    def __str__(self) -> str:
        width = max(12, *(len(f.name) for f in self.factors))
        noisy = any(f.confused is not None for f in self.factors)
        head = (
            f"{'factor':<{width}} {'alike':>6} {'smallest':>9} {'median':>9} "
            f"{'confused ' if noisy else ''}{'predictor':>16}  passes"
        )
        rows = [
            f"{f.name:<{width}} {f.indistinguishable:>6.1%} {f.smallest_distance:>9.2e} "
            f"{f.median_distance:>9.2e} {_share(f.confused) if noisy else ''}"
            f"{f.measure + f' {f.accuracy:.3f}':>16}  {'yes' if f.passes else 'NO'}"
            for f in self.factors
        ]
        return "\n".join([head, *rows, "", self.verdict])


def _share(confused: float | None) -> str:
    return f"{'-' if confused is None else f'{confused:.1%}':>8} "


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
