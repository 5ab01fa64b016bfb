"""What a metric is, and ``@metric``, which declares one: formulas, conventions and catalogue entry.

    @metric(
        Entry("mig", "MIG", "Chen et al. 2018", "compactness", "...", "..."),
        group="histogram", standard=ArrayFormula(_mig), ubisoft=ArrayFormula(_mig_ubisoft),
    )
    def mig(factors: Any, codes: Any = None, **shared: Unpack[Counted]) -> float:
        ...
        return metric_of(mig).value(factors, codes, **shared)

``_catalogue`` imports every file of the folders of metrics, so that ``evaluate``, reports and the
command line know a metric as soon as its file declares it.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict, TypeVar, get_args, get_type_hints

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
        What the score is computed from, factors by codes.
    """

    value: float
    per_factor: Mapping[str, float] = field(default_factory=dict)
    per_code: Mapping[int, float] = field(default_factory=dict)
    matrix: NDArray[np.float64] | None = None


# formula(evidence, **options); a metric of several scores gives them by name.
Formula = Callable[..., Score | dict[str, Score]]
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry:
    """What the catalogue says of a score under the standard convention.

    ``low`` and ``high`` are the ends of its range, None where it has none; ``better`` is
    ``"higher"``, ``"lower"`` or ``""``. ``metric`` and ``conventions`` are those of the metric of
    the panel that gives the score: ``"dci"`` gives ``"dci_completeness"``.
    """

    name: str
    title: str
    source: str
    measures: str
    rewards: str
    blind: str
    low: float | None = 0.0
    high: float | None = 1.0
    better: str = "higher"
    metric: str = ""
    conventions: tuple[str, ...] = ()

    @property
    def span(self) -> str:
        """The range as text."""
        ends = ("-inf" if self.low is None else f"{self.low:g}",
                "inf" if self.high is None else f"{self.high:g}")  # fmt: skip
        return " to ".join(ends)


@dataclass(frozen=True)
class Metric:
    """A metric of the panel: its name, its formula under each convention that it has, its group.

    The group says what a formula reads: ``"histogram"``, the samples themselves (``"predictors"``,
    ``"interventions"``), or the codes alone (``"unlabelled"``).
    """

    name: str
    formulas: Mapping[str, Formula]
    group: str
    function: Callable[..., Any] | None = None

    @property
    def reads_samples(self) -> bool:
        """Whether a histogram is not enough."""
        return self.group != "histogram"

    def formula(self, convention: str) -> Formula:
        """The formula under a convention.

        Raises
        ------
        ValueError
            If there is no such convention, or no formula under it.
        """
        _validation.choice("convention", convention, CONVENTIONS)
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
        """The Score, or several by name; notes become warnings."""
        formula = self.formula(convention)
        evidence = gather(
            factors, codes, bins=bins, discrete=discrete, convention=convention,
            estimator=estimator, active=active, seed=seed, rows=self.reads_samples,
            pairs=getattr(formula, "pairs", False),
        )  # fmt: skip
        result = formula(evidence, **options)
        warn(self.name, evidence.notes)
        return result

    def value(self, factors: Any, codes: Any, **options: Any) -> float:
        """The value of the one Score."""
        return float(self.score(factors, codes, **options).value)


def warn(name: str, notes: Iterable[str]) -> None:
    """Warn of the notes where the metrics were called from."""
    frame, level = sys._getframe(), 1
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("fastdis.metrics"):
        frame, level = frame.f_back, level + 1
    for note in notes:
        warnings.warn(f"{name}: {note}", MetricWarning, stacklevel=level)


class Shared(TypedDict, total=False):
    """The keywords of every metric that compares factors and codes."""

    bins: int | Bins | None
    discrete: Discrete
    convention: str
    active: Any


class Counted(Shared, total=False):
    """The keywords of metrics of entropies and mutual information."""

    estimator: str


class Seeded(Shared, total=False):
    """The keywords of metrics that draw samples or fit models."""

    seed: int


# The default and the description of every shared parameter, in the order in which help lists them.
PARAMETERS: dict[str, tuple[Any, str]] = {
    "factors": (inspect.Parameter.empty, """\
        ``(N, K)`` numbers or text, a torch tensor, a memory map or a :class:`fastdis.FactorTable`;
        or chunks, or a :class:`JointHistogram`, without ``codes``; see :mod:`fastdis.metrics`."""),
    "codes": (None, """\
        ``(N, D)`` numbers, a torch tensor or a memory map."""),
    "bins": (None, """\
        How codes and continuous factors are cut: a number of bins of equal width, or
        :class:`Bins`. None is 20, or 10 under the ubisoft and published conventions."""),
    "discrete": (None, """\
        Which factors keep their levels: True or False for all, or one bool per factor. With None
        the kinds of a FactorTable decide, or the columns; see :func:`joint_histogram`."""),
    "convention": ("standard", ""),
    "estimator": ("plugin", """\
        Of mutual information: ``"plugin"``, ``"miller_madow"`` or ``"kraskov"``."""),
    "active": (None, """\
        Which codes are scored: None for all, ``"informative"``, or one bool per code."""),
    "seed": (0, """\
        Fixes the samples that are drawn and the models that are fitted."""),
}  # fmt: skip

_RAISES = "Raises\n------\nTypeError, ValueError\n    As :func:`mig`.\n"
_KEYWORD = inspect.Parameter.KEYWORD_ONLY

# The metrics that were declared so far, and the entries of the catalogue.
declared: dict[str, Metric] = {}
entries: dict[str, Entry] = {}


def metric_of(function: Callable[..., Any]) -> Metric:
    """The metric that a public function was declared as."""
    return declared[function.__name__]


def metric(
    *about: Entry, group: str, defaults: Mapping[str, Any] | None = None, **formulas: Formula
) -> Callable[[Function], Function]:
    """Declare a public function as a metric of the panel.

    Parameters
    ----------
    about
        What the catalogue says of each of its scores.
    group
        See :class:`Metric`.
    defaults
        Of shared keywords that are not among ``PARAMETERS``.
    formulas
        The formula of each convention that the metric has.
    """

    def declare(function: Function) -> Function:
        shown: Any = _with_keywords(function, group, tuple(formulas), defaults or {})
        register(Metric(function.__name__, formulas, group, shown), *about)
        return shown  # type: ignore[no-any-return]

    return declare


def register(one: Metric, *about: Entry) -> Metric:
    """Make a metric known to ``evaluate``, reports and the command line."""
    declared[one.name] = one
    describe(*(replace(x, metric=one.name, conventions=tuple(one.formulas)) for x in about))
    return one


def describe(*about: Entry) -> Callable[[Function], Function]:
    """Put scores in the catalogue; a decorator of functions that ``evaluate`` does not call."""
    entries.update((entry.name, entry) for entry in about)
    return lambda function: function


def _with_keywords(
    function: Callable[..., Any],
    group: str,
    conventions: tuple[str, ...],
    defaults: Mapping[str, Any],
) -> Callable[..., Any]:
    """The function, its ``**shared`` keywords spelled out in its signature and its docstring."""
    signature = inspect.signature(function, eval_str=True)
    parameters = list(signature.parameters.values())
    if parameters[-1].kind is not inspect.Parameter.VAR_KEYWORD:
        return function
    types = get_type_hints(get_args(parameters.pop().annotation)[0])
    known = {name: default for name, (default, _) in PARAMETERS.items()} | dict(defaults)
    parameters += [
        inspect.Parameter(name, _KEYWORD, default=default, annotation=types[name])
        for name, default in known.items()
        if name in types
    ]
    names = [parameter.name for parameter in parameters]

    @functools.wraps(function)
    def shown(*args: Any, **keywords: Any) -> Any:
        for name in keywords:
            if name not in names:
                raise TypeError(
                    f"{function.__name__}() got an unexpected keyword argument {name!r}"
                )
        return function(*args, **keywords)

    shown.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    shown.__doc__ = _documented(inspect.getdoc(function) or "", names, group, conventions)
    return shown


def _documented(text: str, names: list[str], group: str, conventions: tuple[str, ...]) -> str:
    """A docstring with the shared parameters that its own section of parameters does not have.

    Without a section of errors, it raises what :func:`mig` does.
    """
    if "Raises\n------\n" not in text:
        about, examples, code = text.partition("Examples\n--------\n")
        text = f"{about.rstrip()}\n\n{_RAISES}\n{examples}{code}".rstrip()
    heading = "Parameters\n----------\n"
    before, found, own = text.partition(heading)
    if not found:
        before, raises, after = text.partition("Raises\n------\n")
        own = "\n" + raises + after
    section = own.partition("\n\n")[0]
    described = set(re.findall(r"\w+", "".join(re.findall(r"^\S.*$\n?", section, re.MULTILINE))))
    lines = []
    for name in names:
        if name in PARAMETERS and name not in described:
            about = PARAMETERS[name][1]
            if name == "convention":
                about = f"{' or '.join(map(repr, conventions))}; see :mod:`fastdis.metrics`."
            if name == "bins" and group == "predictors":
                about = "Only decides which factors are discrete; see :func:`joint_histogram`."
            lines += [name, re.sub(r"^ *", "    ", about, flags=re.MULTILINE)]
    return before + heading + "\n".join([*lines, own])
