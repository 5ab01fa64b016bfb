"""The joint histogram of tensors on a GPU: counted there, or copied to the host and counted.

`python benchmarks/bench_histogram_cuda.py --json FILE` prints the figures and writes them as JSON;
without a CUDA device it says so. Counts are held to those of the CPU kernels before anything is
timed: not one may differ.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from fastdis._bench.measure import Contestant, alternate, spread
from fastdis._bench.rows.statistics import BINS, CODES, FACTORS, columns
from fastdis.metrics import Bins, joint_histogram
from fastdis.metrics._counts.torch_rows import counted_tensors, read_tensors

ROWS = (1_000_000, 10_000_000)
REPEATS = 11


def counted(factors, codes):
    """The histogram of tensors, counted on their device; it ends with a copy of the counts."""
    data = read_tensors(factors, codes, BINS, False)
    return counted_tensors(data, Bins.equal_width(BINS), "standard")[1]


def measure(rows, device, repeats=REPEATS):
    """Check the counts of so many rows, then time both ways in turn; the figures as a dict."""
    factors, codes = columns(rows)
    tensors = [torch.from_numpy(x).to(device) for x in (factors, codes)]
    expected = joint_histogram(factors, codes, bins=BINS, discrete=False)
    differ = int((counted(*tensors).table != expected.table).sum())
    if differ:
        raise RuntimeError(f"{rows:,} rows on {device}: {differ} counts differ; not timed")

    def copied():
        arrays = [x.cpu().numpy() for x in tensors]
        return joint_histogram(*arrays, bins=BINS, discrete=False)

    ways = Contestant(lambda: counted(*tensors), rows), Contestant(copied, rows)
    seconds = rows * alternate(ways, repeats)
    there, here = np.median(seconds, axis=0)
    figures = {
        "work": f"joint histogram, {CODES} codes x {FACTORS} factors, {BINS} bins, float32",
        "rows": rows,
        "seconds": float(there),
        "spread": spread(seconds[:, 0]),
        "rows_per_second": round(rows / there),
        "copied_and_counted_seconds": float(here),
        "repeats": repeats,
        "counts_that_differ": differ,
    }
    if torch.device(device).type == "cuda":
        figures["peak_memory_gb"] = round(torch.cuda.max_memory_allocated(device) / 1e9, 2)
    return figures


def where(device):
    """What the figures were measured on."""
    machine = {"numpy": np.__version__, "torch": torch.__version__}
    if torch.device(device).type == "cuda":
        machine |= {"device": torch.cuda.get_device_name(device), "CUDA": torch.version.cuda}
    return machine


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("no CUDA device: nothing measured")
        return
    results = {"where": where(options.device), "rows": [measure(n, options.device) for n in ROWS]}
    print(", ".join(f"{name} {value}" for name, value in results["where"].items()))
    for row in results["rows"]:
        print(
            f"{row['work']}: {row['rows']:,} rows in {row['seconds']:.4f} s (spread "
            f"{row['spread']:.0%}), {row['rows_per_second']:,} rows/s; copied to the host and "
            f"counted there: {row['copied_and_counted_seconds']:.4f} s"
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
