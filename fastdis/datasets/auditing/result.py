"""What an audit tells: of each factor its measurements and a sentence, of all a paragraph."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

PASS_SHARE = 0.05  # of neighbouring levels that may look alike
HIDDEN = 0.1  # of clips that the observer of noise may mistake


@dataclass(frozen=True)
class FactorAudit:
    """What the features say of one factor.

    Attributes
    ----------
    name
        The factor's.
    indistinguishable
        Share of pairs of neighbouring levels (any two of a categorical factor, a twentieth of the
        range of a continuous one), other factors held, whose features are the same to 1e-5 of
        their range; without noise where the data set can tell.
    smallest_distance, median_distance
        Root mean square difference of such pairs over that of two random clips.
    accuracy, measure, chance
        Of a held-out predictor: ``"accuracy"`` for a categorical factor, ``"R²"`` for another, and
        what a guess would reach.
    aliasing
        Share of the pairs that differ of whose distance less than a tenth is left once the
        waveforms are free of aliasing; None where the data set cannot tell.
    passes
        At most 5% of pairs look alike, and the predictor gets halfway from chance to perfect.
    verdict
        The same in a sentence.
    confused
        Of clips with their noise, the share that an observer takes for a neighbour, 1/2 being a
        guess. It knows all else of the clip. An upper bound of what the noise hides, as it has seen
        but sixteen other draws of it at either level, and takes the features for independent. None
        without noise, or where the data set cannot render such draws.
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

    @property
    def carried(self) -> bool:
        """Whether the features hold every level, be they found by the predictor or not.

        At most 5% of neighbouring levels look alike, and noise confuses at most 10% of them. A
        factor that ``passes`` may not be carried: the predictor finds its range, and noise may
        hide which of two neighbouring levels it is; the verdict says so.
        """
        return self.indistinguishable <= PASS_SHARE and not self.hidden

    @property
    def hidden(self) -> bool:
        """Whether noise confuses more than 10% of neighbouring levels that do not look alike."""
        return self.indistinguishable <= PASS_SHARE and (self.confused or 0.0) > HIDDEN


@dataclass(frozen=True)
class Audit:
    """The factors' audits and a verdict in a paragraph; ``str()`` is a table."""

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
