"""What a metric is: a formula for each convention, its score and what goes with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.metrics._counts.bins import Bins
from fastdis.metrics._counts.columns import Discrete
from fastdis.metrics._counts.conventions import CONVENTIONS
from fastdis.metrics._counts.histogram import MetricWarning
from fastdis.metrics._evidence import gather


@dataclass(frozen=True, eq=False)
class Score:
    """A metric's value and what it is made of.

    Attributes
    ----------
    value
        The score.
    per_factor
        The part of each factor by its name; a factor that was left out is absent.
    per_code
        The part of each code by its column; a code that was left out is absent.
    matrix : (K, D) float64, or None
        What the score stands on, factors by codes.
    """

    value: float
    per_factor: Mapping[str, float] = field(default_factory=dict)
    per_code: Mapping[int, float] = field(default_factory=dict)
    matrix: NDArray[np.float64] | None = None


# formula(evidence, **options); a metric of several scores gives them by name.
Formula = Callable[..., Score | dict[str, Score]]


@dataclass(frozen=True)
class Metric:
    """A score by name: its formula under each convention that has one.

    ``reads`` says what the formulas look at: the ``"histogram"``, the ``"rows"`` as well, or the
    ``"codes"`` alone.
    """

    name: str
    formulas: Mapping[str, Formula]
    reads: str = "histogram"

    def formula(self, convention: str) -> Formula:
        """The formula under a convention.

        Raises
        ------
        ValueError
            If the convention has none.
        """
        if convention not in self.formulas:
            known = " or ".join(map(repr, self.formulas))
            raise ValueError(f"convention takes {known} for {self.name}, got {convention!r}")
        return self.formulas[convention]

    def score(
        self,
        factors: Any,
        codes: Any,
        *,
        bins: int | Bins | None = None,
        discrete: Discrete = None,
        convention: str = "standard",
        estimator: str = "plugin",
        active: Any = None,
        seed: int = 0,
        **options: Any,
    ) -> Any:
        """The score of plain arguments; notes become warnings of the public function's caller."""
        formula = self.formula(_validation.choice("convention", convention, CONVENTIONS))
        evidence = gather(
            factors, codes, bins=bins, discrete=discrete, convention=convention,
            estimator=estimator, active=active, seed=seed, rows=self.reads != "histogram",
            pairs=getattr(formula, "pairs", False),
        )  # fmt: skip
        result = formula(evidence, **options)
        for note in evidence.notes:
            warnings.warn(f"{self.name}: {note}", MetricWarning, stacklevel=3)
        return result
