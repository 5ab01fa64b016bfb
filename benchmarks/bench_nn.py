"""The torch modules: SynTone's 32,000 clips from factor table to mel on a CUDA device.

`python benchmarks/bench_nn.py --json FILE` prints the figures and writes them as JSON; without a
CUDA device it says so. Results are held to the CPU kernels on some of the clips before anything is
timed.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
import torch

from fastdis._bench.measure import spread
from fastdis._bench.rows.features import AUDIBLE, mel_error
from fastdis.datasets import SynTone
from fastdis.features import melspectrogram
from fastdis.nn import MelSpectrogram, Oscillator

VARIANTS = ("published", "sound")  # naive waveforms, band-limited ones
PART = 4000  # clips at a time: 256 MB of audio
WARMUP, REPEATS = 3, 11
CLIPS, TARGET = 32_000, 1.0  # the whole grid, and the seconds it is to take less than
CHECKED = 64  # clips held to the kernels
ERROR_AT_MOST = 1e-4


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
        times = []
        for _ in range(repeats):
            self.finish()
            start = time.perf_counter()
            function()
            self.finish()
            times.append(time.perf_counter() - start)
        return np.array(times)


def where(device):
    """What the figures were measured on."""
    machine = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
    }
    if torch.device(device).type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        machine |= {
            "device": properties.name,
            "device memory, GiB": round(properties.total_memory / 2**30),
            "CUDA": torch.version.cuda,
        }
    return machine


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
    figures = {
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
        figures["peak_memory_gb"] = round(torch.cuda.max_memory_allocated(device) / 1e9, 2)
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--num-freqs", type=int, default=400, help="80 clips each; 400 is SynTone")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("no CUDA device: nothing measured")
        return
    results = {"where": where(options.device), "rows": []}
    print(", ".join(f"{name} {value}" for name, value in results["where"].items()))
    for variant in VARIANTS:
        row = measure(variant, options.device, num_freqs=options.num_freqs)
        results["rows"].append(row)
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
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
