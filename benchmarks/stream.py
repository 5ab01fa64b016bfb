"""Render the additive toy as a stream of labelled batches: seconds, clips a second, peak memory.

``python benchmarks/stream.py [--clips N] [--representation NAME]``. Clips of 2,000 samples at 8
kHz, 20 partials, with noise and decay, all six factors drawn from the grid. Some of the clips that
came by are kept and rendered again, each by its index alone; they must be the same bit for bit.
"""

import argparse
import time
from pathlib import Path

import numpy as np

BATCH = 2048
KEPT = 200


def _peak_mb():
    """The most memory this process has had, imports included; None where /proc is missing."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def stream(dataset, batch=BATCH, kept=KEPT):
    """Walk through a data set; returns the seconds, and rows with their features and labels."""
    rng = np.random.default_rng(0)
    rows = np.unique(rng.integers(0, len(dataset), kept))
    features = np.empty((len(rows), *dataset.feature_shape), np.float32)
    labels = np.empty((len(rows), len(dataset.space.names)))
    begun = time.perf_counter()
    for start in range(0, len(dataset), batch):
        x, factors = dataset.batch(slice(start, start + batch))
        first, last = np.searchsorted(rows, (start, start + len(x)))
        features[first:last], labels[first:last] = (
            column[rows[first:last] - start] for column in (x, factors)
        )
    return time.perf_counter() - begun, rows, features, labels


def again(dataset, rows, features, labels):
    """How many of those clips differ in any bit when they are rendered one by one."""
    differ = 0
    for row, x, factors in zip(rows, features, labels, strict=True):
        alone, its_factors = dataset.batch([row])
        differ += not (np.array_equal(alone[0], x) and np.array_equal(its_factors[0], factors))
    return differ


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--representation", default="waveform")
    options = parser.parse_args()
    begun = time.perf_counter()
    from fastdis import datasets, get_num_threads

    dataset = datasets.AdditiveToy(options.representation, clips=options.clips)
    made = time.perf_counter() - begun
    seconds, rows, features, labels = stream(dataset)
    differ = again(dataset, rows, features, labels)
    print(
        f"{options.clips:,} labelled clips ({options.representation}, {dataset.samples:,} samples, "
        f"{dataset.n_partials} partials, factors {', '.join(dataset.space.names)})"
    )
    print(f"import and draw   {made:8.1f} s")
    print(f"stream            {seconds:8.1f} s on {get_num_threads()} threads")
    print(f"clips a second    {options.clips / seconds:8,.0f}")
    peak = _peak_mb()
    print(f"peak memory       {'unknown' if peak is None else f'{peak:8.0f} MB'}")
    print(f"again by index    {differ} of {len(rows)} clips differ")
    return 1 if differ else 0


if __name__ == "__main__":
    raise SystemExit(main())
