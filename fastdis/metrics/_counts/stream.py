"""Chunks of factors and codes: counted one by one, or put together where rows are needed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdis import _validation
from fastdis.metrics._counts.bins import Bins, Thinned, outside, quantile_edges
from fastdis.metrics._counts.columns import Data, Discrete, distinct_columns, plain, read, table_of
from fastdis.metrics._counts.conventions import SCALED, counted_as
from fastdis.metrics._counts.histogram import JointHistogram, counted_on

Pair = tuple[Any, Any]


@dataclass(frozen=True)
class Stream:
    """Chunks ``(factors, codes)``, which can be read ``once`` or again and again."""

    begin: Callable[[], Iterator[Pair]]
    once: bool

    def pairs(self) -> Iterator[Pair]:
        """The chunks that hold rows, as they were given.

        Raises
        ------
        TypeError, ValueError
            If one is no pair, or there is none.
        """
        none = True
        for pair in self.begin():
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise TypeError(
                    "factors takes an iterator of pairs (factors, codes) if codes is None, got "
                    f"{_validation.describe(pair)}"
                )
            if not all(hasattr(part, "__len__") for part in pair):
                raise TypeError(
                    "factors takes an iterator of pairs of arrays if codes is None, got "
                    f"{_validation.describe(pair)}; beside a list of rows, codes takes another"
                )
            if len(pair[0]) or len(pair[1]):
                none = False
                yield pair[0], pair[1]
        if none:
            raise ValueError(
                "factors takes at least one chunk of rows, got none; a function is to return a "
                "new iterator each time"
            )

    def chunks(self, bins: Bins, discrete: Discrete, like: Data | None = None) -> Iterator[Data]:
        """Each chunk checked; all keep the kinds of ``like``, or else of the first."""
        for pair in self.pairs():
            data = read(*pair, bins.count, discrete, like)
            like = data if like is None else like
            yield data


def stream_of(factors: Any, codes: Any) -> Stream | None:
    """The stream that the arguments are; None for arrays.

    Raises
    ------
    TypeError
        If ``codes`` is missing beside an array, or only one of the two is an iterator.
    """
    if codes is None:
        if callable(factors):
            return Stream(lambda: iter(factors()), once=False)
        if hasattr(factors, "shape") or hasattr(factors, "values"):
            raise TypeError("codes takes an array (N, D) beside an array of factors, got None")
        if not isinstance(factors, Iterable) or isinstance(factors, str):
            raise TypeError(f"factors takes an array or an iterator of chunks, got {factors!r}")
        return Stream(lambda: iter(factors), once=isinstance(factors, Iterator))
    streams = [isinstance(x, Iterator) for x in (factors, codes)]
    if all(streams):
        return Stream(lambda: zip(factors, codes, strict=True), once=True)
    if any(streams):
        raise TypeError(
            "factors and codes take two arrays or two iterators of chunks, got one of each"
        )
    return None


def gathered(stream: Stream, bins: Bins, discrete: Discrete) -> Data:
    """All rows of a stream, read as if they had come as arrays."""
    pairs = list(stream.pairs())
    for _ in Stream(lambda: iter(pairs), once=False).chunks(bins, discrete):
        pass  # each is checked by itself, so that an error speaks of a chunk
    table = table_of(pairs[0][0])
    factors: Any = np.concatenate(
        [np.asarray(plain(part if table is None else part.values)) for part, _ in pairs]
    )
    if table is not None:
        space = getattr(table, "space", None)
        factors = SimpleNamespace(values=factors, names=table.names, space=space)
    codes = np.concatenate([np.asarray(plain(part)) for _, part in pairs])
    return read(factors, codes, bins.count, discrete)


def counted_stream(
    stream: Stream, bins: Bins, discrete: Discrete, convention: str, pairs: bool = False
) -> tuple[Data, JointHistogram, list[str]]:
    """The histogram of all chunks, a summary of them without rows, and what to say about them.

    One pass is enough if the bins have stated ranges and the kinds of the factors are known.

    Raises
    ------
    ValueError
        If bins or kinds depend on all rows, and the chunks can be read only once.
    """
    chunks = stream.chunks(bins, discrete)
    first = next(chunks)
    published = convention == "published"
    scaled = convention in SCALED
    guessed = first.undecided and any(first.discrete)
    seen: Data | None = None
    if scaled or bins.needs_rows(not all(first.discrete)) or (guessed and not stream.once):
        if stream.once:
            raise ValueError(
                "bins takes stated ranges for chunks that can be read only once, as in "
                f"Bins.equal_width({bins.count}, low=-4, high=4), with factor_low and factor_high "
                "for factors that are cut; or pass a list of chunks, or a function that returns "
                "the iterator anew"
            )
        seen, bins = _looked_through(first, chunks, bins)
        chunks = stream.chunks(bins, discrete, seen)
        first = next(chunks)
    total: JointHistogram | int = 0
    summary = seen
    notes: dict[str, None] = {}
    for chunk in itertools.chain([first], chunks):
        if seen is not None:
            chunk = _placed(chunk, seen, all_factors=published)
        prepared, *edges = counted_as(chunk, bins, convention)
        if not scaled:
            notes |= dict.fromkeys(outside(chunk, *edges))
        total = total + counted_on(prepared, *edges, pairs=pairs)
        if seen is None:
            summary = _summed([chunk] if summary is None else [summary, chunk])
    assert summary is not None  # there is a first chunk
    assert isinstance(total, JointHistogram)
    if seen is None:
        summary = _checked_guess(summary, total, bins)
    return summary, total, list(notes)


def _looked_through(first: Data, rest: Iterator[Data], bins: Bins) -> tuple[Data, Bins]:
    """Ranges, labels and kinds over all chunks, and the bins with the quantiles of their rows."""
    summary = first
    columns = list(range(len(first.names)))
    values = distinct_columns(first.factors, columns, bins.count) if first.undecided else []
    thinned = {"codes": Thinned(), "factors": Thinned()} if bins.kind == "quantile" else {}
    for chunk in itertools.chain([first], rest):
        summary = _summed([summary, chunk])
        for name, rows in thinned.items():
            rows.add(getattr(chunk, name))
        if first.undecided:
            found = distinct_columns(chunk.factors, columns, bins.count)
            values = [_union(a, b, bins.count) for a, b in zip(values, found, strict=True)]
    if first.undecided:
        kinds = tuple(
            "continuous" if few is None else "categorical" if whole else "ordinal"
            for few, whole in zip(values, summary.whole, strict=True)
        )
        summary = replace(summary, kinds=kinds)
    if thinned:
        code_edges, factor_edges = (
            quantile_edges(rows.rows, bins.count) for rows in thinned.values()
        )
        bins = replace(bins, code_edges=code_edges, factor_edges=factor_edges)
    return summary, bins


def _placed(chunk: Data, seen: Data, all_factors: bool) -> Data:
    """A chunk with the ranges of all of them, and text numbered as in all of them.

    A factor that keeps its levels does so within the chunk's own range, unless ``all_factors``
    are cut.
    """
    factors, ranges = chunk.factors, seen.factor_range.copy()
    for k, labels in enumerate(seen.labels):
        own = chunk.labels[k]
        if labels is not None and own is not None:
            factors = factors.copy() if factors is chunk.factors else factors
            factors[:, k] = np.searchsorted(labels, own)[chunk.factors[:, k].astype(np.intp)]
    if not all_factors:
        kept = [k for k, keeps in enumerate(chunk.discrete) if keeps and seen.labels[k] is None]
        ranges[:, kept] = chunk.factor_range[:, kept]
    return replace(
        chunk, factors=factors, labels=seen.labels, factor_range=ranges, code_range=seen.code_range
    )


def _checked_guess(summary: Data, histogram: JointHistogram, bins: Bins) -> Data:
    """The summary of a single pass; refuses kinds that the first chunk alone made probable."""
    many = [
        name
        for name, keeps, levels in zip(
            summary.names, summary.discrete, histogram.levels, strict=True
        )
        if summary.undecided and keeps and levels > bins.count
    ]
    if many:
        raise ValueError(
            f"discrete takes one bool per factor for chunks that are read once: {', '.join(many)} "
            f"had at most {bins.count} values in the first chunk, and more in all"
        )
    return summary


def _summed(parts: list[Data]) -> Data:
    """What several chunks have in common, without their rows."""
    first = parts[0]

    def widest(ranges: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        both = np.stack(ranges)
        return np.stack([both[:, 0].min(axis=0), both[:, 1].max(axis=0)])

    labels = tuple(_labels(each) for each in zip(*(part.labels for part in parts), strict=True))
    ranges = widest([part.factor_range for part in parts])
    for k, known in enumerate(labels):
        if known is not None:
            ranges[:, k] = 0, len(known) - 1
    return replace(
        first,
        factors=first.factors[:0],
        codes=first.codes[:0],
        labels=labels,
        whole=tuple(all(flags) for flags in zip(*(part.whole for part in parts), strict=True)),
        factor_range=ranges,
        code_range=widest([part.code_range for part in parts]),
    )


def _labels(parts: tuple[NDArray[Any] | None, ...]) -> NDArray[Any] | None:
    known = [part for part in parts if part is not None]
    if known and len(known) < len(parts):
        raise TypeError("chunks take factors that are all text or all numbers, got both")
    return np.unique(np.concatenate(known)) if known else None


def _union(
    a: NDArray[np.float64] | None, b: NDArray[np.float64] | None, limit: int
) -> NDArray[np.float64] | None:
    if a is None or b is None:
        return None
    both = np.union1d(a, b)
    return both if len(both) <= limit else None
