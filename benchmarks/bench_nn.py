"""The torch modules: SynTone's 32,000 clips from factor table to mel on a CUDA device.

`pytest benchmarks/bench_nn.py --benchmark-enable`, or as a script, which prints the figures and
writes them as JSON: `python benchmarks/bench_nn.py --json FILE`. Without a CUDA device it says so.
Results are held to the CPU kernels on some of the clips before anything is timed.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from fastdis._bench.features import AUDIBLE, mel_error
from fastdis._bench.measure import Contestant, alternate, spread
from fastdis.datasets import SynTone
from fastdis.features import melspectrogram
from fastdis.nn import MelSpectrogram, Oscillator

VARIANTS = ("published", "sound")  # naive waveforms, band-limited ones
PART = 4000  # clips at a time: 256 MB of audio
WARMUP, REPEATS = 3, 11
CLIPS, TARGET = 32_000, 1.0  # the whole grid, and the seconds it is to take less than
CHECKED = 64  # clips held to the kernels
ERROR_AT_MOST = 1e-4
CPU_CLIPS = 256


class Grid:
    """The clips of a SynTone as modules on a device make them, from table to mel."""

    def __init__(self, data, device, part=PART):
        self.data, self.device, self.part = data, torch.device(device), part
        band_limited = data.variant == "sound"
        self.oscillator = Oscillator(
            sample_rate=data.sample_rate, duration=data.duration, band_limited=band_limited,
            time_axis="sample" if band_limited else "linspace",
        ).to(device)  # fmt: skip
        self.mel = MelSpectrogram(sr=data.sample_rate).to(device)

    @torch.inference_mode()
    def columns(self):
        """The factor table on the device: shape, frequency, amplitude."""
        table = self.data.table()
        columns = table.levels[:, 2], table["frequency"], table["amplitude"]
        return [torch.tensor(column, device=self.device) for column in columns]

    @torch.inference_mode()
    def mels(self):
        """``(clips, 128, frames)``, left on the device."""
        return self.over_parts(lambda part: self.mel(self.oscillator(*part)))

    @torch.inference_mode()
    def waveforms_alone(self):
        """Every clip made, and dropped."""
        self.over_parts(lambda part: self.oscillator(*part)[:, :1])

    def over_parts(self, function):
        columns = self.columns()
        results = [
            function([column[start : start + self.part] for column in columns])
            for start in range(0, len(columns[0]), self.part)
        ]
        return torch.cat(results)

    def finish(self):
        """Wait for the device, which works on while Python goes ahead."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def error(self):
        """The largest relative error against the kernels of values above AUDIBLE of their peak."""
        rows = np.linspace(0, len(self.data) - 1, CHECKED).astype(int)
        expected = melspectrogram(self.data.audio(rows), sr=self.data.sample_rate)
        mels = self.mels()
        assert mels.shape == (len(self.data), *expected.shape[1:])
        found = mels[torch.from_numpy(rows)].cpu().numpy()
        return mel_error(found, expected)

    def seconds(self, function, repeats=REPEATS, warmup=WARMUP):
        """How long ``function`` takes, again and again, after a warm-up."""
        for _ in range(warmup):
            function()
        told = []
        for _ in range(repeats):
            self.finish()
            start = time.perf_counter()
            function()
            self.finish()
            told.append(time.perf_counter() - start)
        return np.array(told)


def where(device):
    """What the figures were measured on."""
    told = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
    }
    if torch.device(device).type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        told |= {
            "device": properties.name,
            "device memory, GiB": round(properties.total_memory / 2**30),
            "CUDA": torch.version.cuda,
        }
    return told


def measure(variant, device, repeats=REPEATS, **grid):
    """Check one variant of SynTone, then time it; the figures as a dict."""
    data = SynTone(variant, **grid)
    path = Grid(data, device)
    error = path.error()
    if not error <= ERROR_AT_MOST:
        raise RuntimeError(f"SynTone {variant!r} on {device}: the error is {error:.1e}; not timed")
    if path.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    whole = path.seconds(path.mels, repeats)
    told = {
        "work": f"factor table -> mel, SynTone {variant!r}",
        "clips": len(data),
        "seconds": float(np.median(whole)),
        "fastest": float(whole.min()),
        "spread": spread(whole),
        "repeats": repeats,
        "clips_per_second": round(len(data) / float(np.median(whole))),
        "waveforms_alone_seconds": float(np.median(path.seconds(path.waveforms_alone, repeats))),
        "error": error,
        "error_of": f"relative to the CPU kernels, above {AUDIBLE:g} of peak",
    }
    if path.device.type == "cuda":
        told["peak_memory_gb"] = round(torch.cuda.max_memory_allocated(device) / 1e9, 2)
    return told


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("variant", VARIANTS)
def test_table_to_mel_on_a_gpu(benchmark, variant):
    told = measure(variant, "cuda")
    path = Grid(SynTone(variant), "cuda")

    def run():
        path.mels()
        path.finish()

    benchmark.pedantic(run, rounds=REPEATS, warmup_rounds=WARMUP)
    benchmark.extra_info.update(told | where("cuda"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_same_path_on_the_cpu(benchmark, variant):
    """The code that a GPU would run, on a grid small enough for a CPU."""
    told = benchmark.pedantic(measure, (variant, "cpu", 1), {"num_freqs": 8, "num_amps": 4})
    benchmark.extra_info.update(told | where("cpu"))


@pytest.mark.parametrize("band_limited", [False, True], ids=["naive", "band-limited"])
def test_modules_on_the_cpu(benchmark, band_limited):
    """Oscillator and mel by the modules, and by the kernels, each on all threads."""
    data = SynTone("sound" if band_limited else "published", num_freqs=CPU_CLIPS // 16, num_amps=4)
    path = Grid(data, "cpu")
    assert path.error() <= ERROR_AT_MOST
    rows = np.arange(len(data))

    def kernels():
        return melspectrogram(data.audio(rows), sr=data.sample_rate)

    benchmark.pedantic(path.mels, rounds=7, warmup_rounds=1)
    if not benchmark.stats:  # None when benchmarks are disabled
        return
    seconds = alternate([Contestant(path.mels, len(data)), Contestant(kernels, len(data))], 7)
    modules, by_kernels = np.median(seconds, axis=0)
    benchmark.extra_info.update(
        modules_clips_per_s=round(1 / modules),
        kernels_clips_per_s=round(1 / by_kernels),
        kernels_times_faster=round(modules / by_kernels, 1),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--num-freqs", type=int, default=400, help="80 clips each; 400 is SynTone")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("no CUDA device: nothing measured")
        return
    told = {"where": where(options.device), "rows": []}
    print(", ".join(f"{name} {value}" for name, value in told["where"].items()))
    for variant in VARIANTS:
        row = measure(variant, options.device, num_freqs=options.num_freqs)
        told["rows"].append(row)
        goal = ""
        if row["clips"] == CLIPS:
            reached = "reached" if row["seconds"] < TARGET else "not reached"
            goal = f", under {TARGET:g} s: {reached}"
        print(
            f"{row['work']}: {row['clips']:,} clips in {row['seconds']:.3f} s (spread "
            f"{row['spread']:.0%}, fastest {row['fastest']:.3f} s), {row['clips_per_second']:,} "
            f"clips/s{goal}; waveforms alone "
            f"{row['waveforms_alone_seconds']:.3f} s; error {row['error']:.1e}"
        )
    if options.json:
        options.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
