"""The rows of fastdis._bench.training, each side by side with its peer; and a GPU's.

`python benchmarks/bench_training.py --gpu` measures the GPU's rows (training_cuda.py) in under
eight minutes, prints them, and writes results/training-DEVICE.json after each. Without a CUDA
device it says so, writes nothing and ends with status 2. Table 1 is trained by the script alone.
"""

import argparse
import sys
from pathlib import Path

import pytest
import torch
import training_cuda
from bench_nn import where

from fastdis import _files
from fastdis._bench import table, training

RESULTS = Path(__file__).parent / "results"


@pytest.mark.parametrize("side", ["fastdis", "peer"])
@pytest.mark.parametrize("row", training.ROWS, ids=str)
def test_row(contest, row, side):
    contest(row, side)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", training_cuda.ERRORS)
def test_one_model_on_a_gpu(benchmark, dtype):
    told = benchmark.pedantic(training_cuda.Bench().one_model, (dtype,))
    benchmark.extra_info.update(told | where("cuda"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_many_models_on_a_gpu(benchmark):
    told = benchmark.pedantic(training_cuda.Bench().many)
    benchmark.extra_info.update(told | where("cuda"))


def shown(told):
    """The figures of a device as a table, and under it what failed."""
    header = ("work", "on", "as", "against", "speed", "takes", "to reach", "error of the loss")
    lines = [_line(row, told["where"].get("device", "CPU")) for row in told["rows"]]
    return "\n".join([table.markdown(header, lines), *told["failed"]])


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
    told = training_cuda.measure(keep=lambda told: _files.write_json(file, told))
    print(shown(told))
    print(file)
    return 1 if told["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
