"""The rows of training on a GPU, side by side with their peers; `fastdis bench` has the CPU's.

`python benchmarks/bench_training.py --gpu` measures them (training_cuda.py) in under eight minutes,
prints them, and writes results/training-DEVICE.json after each. Without a CUDA device it says so,
writes nothing and ends with status 2.
"""

import argparse
import sys
from pathlib import Path

import torch
import training_cuda

from fastdis import _files
from fastdis._bench import table
from fastdis.reports.text import markdown_lines

RESULTS = Path(__file__).parent / "results"


def shown(results):
    """The figures of a device as a table, and under it what failed."""
    header = ("work", "on", "as", "against", "speed", "takes", "to reach", "error of the loss")
    lines = [_line(row, results["where"].get("device", "CPU")) for row in results["rows"]]
    return "\n".join([markdown_lines(header, lines), *results["failed"]])


def _line(row, device):
    if "at_most_seconds" in row:
        takes, goal = f"{row['seconds']:.0f} s", f"under {row['at_most_seconds']:g} s"
        if row["extrapolated"]:
            takes += f", by {row['epochs_measured']} epochs of it"
    elif "at_most" in row:
        takes, goal = f"{row['ratio']:.1f}x its time", f"under {row['at_most']:g}x"
    else:
        takes, goal = f"{table.ratio(row['ratio'])} its speed", f"{row['at_least']:g}x"
    speed = f"{table.speed(row['clips_per_second'])} clips/s" if "clips_per_second" in row else ""
    return (
        row["work"],
        device,
        row["setting"],
        row["against"],
        speed,
        f"**{takes}**",
        f"{goal} {table.reached(row['reached'])}",
        f"{row['error']:.0e}" if "error" in row else "",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--gpu", action="store_true", required=True,
        help="measure a GPU's rows; `fastdis bench` measures the CPU's",
    )  # fmt: skip
    parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA device: nothing measured, nothing written", file=sys.stderr)
        return 2
    slug = torch.cuda.get_device_name().lower().replace(" ", "-")
    file = RESULTS / f"training-{slug}.json"
    results = training_cuda.measure(keep=lambda results: _files.write_json(file, results))
    print(shown(results))
    print(file)
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
