"""Peak memory of streaming work, each in a process of its own: ``memory.py WORK SIZE`` prints it.

The peak is VmHWM of the process, not ``ru_maxrss``: that one is inherited from the process which
started it. "Beyond" is the peak less what was resident once everything was imported and had run
once on a few clips.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SIZES = {
    "features": (2000, 8000, 32_000),
    "shards": (2000, 8000, 32_000),
    "long shards": (240, 960, 3840),
    "histogram": (1_000_000, 4_000_000, 16_000_000),
    "maps": (1_000_000, 4_000_000, 16_000_000),
    "train": (3200,),
    "train many": (3200,),
}
TITLES = {
    "features": "SynTone as a stream of mel batches",
    "shards": "SynTone to mel shards on disk",
    "long shards": "SynTone of 10-second clips to mel shards on disk",
    "histogram": "joint histogram of a stream of rows",
    "maps": "histogram metrics of memory-mapped files",
    "train": "training a model, two epochs, features in memory",
    "train many": "training ten seeds in one process, the same",
}
UNITS = {
    "features": "clips", "shards": "clips", "long shards": "clips", "histogram": "rows",
    "maps": "rows", "train": "clips", "train many": "clips",
}  # fmt: skip
AT_MOST_MB = 500
BATCH = 512
CHUNK = 250_000  # rows


def _memory_mb(field):
    """``VmRSS`` or ``VmHWM`` of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field + ":"))


def _dataset(clips, duration=1.0):
    from fastdis.datasets import SynTone

    return SynTone(num_freqs=clips // 80, duration=duration)


def features(clips):
    dataset = _dataset(clips)
    for start in range(0, clips, BATCH):
        dataset.batch(slice(start, min(start + BATCH, clips)))


def shards(clips, duration=1.0):
    from fastdis.datasets import write_shards

    with tempfile.TemporaryDirectory(prefix="fastdis-memory-") as folder:
        write_shards(_dataset(clips, duration), folder)


def long_shards(clips):
    shards(clips, 10.0)


def histogram(rows):
    from fastdis._bench.rows.statistics import columns
    from fastdis.metrics import joint_histogram

    factors, codes = columns(CHUNK)
    total = first = joint_histogram(factors, codes, discrete=False)
    for _ in range(CHUNK, rows, CHUNK):
        total = total + joint_histogram(factors, codes, like=first)
    assert total.n == rows


def maps(rows):
    from fastdis._bench.rows.statistics import write_columns
    from fastdis.metrics import evaluate

    with tempfile.TemporaryDirectory(prefix="fastdis-memory-") as folder:
        write_columns(folder, rows)
        factors, codes = (np.load(Path(folder, f"{x}.npy"), mmap_mode="r") for x in "vz")
        assert evaluate(factors, codes, ["histogram"]).n == rows


def train(clips):
    from fastdis._bench.rows import training

    training.epoch(training.syntone(clips).in_memory(), training.config(epochs=2))()


def train_many(clips):
    from fastdis._bench.rows import training

    training.seeds_together(training.syntone(clips).in_memory(), training.config(epochs=2))()


def measure(say=print):
    """``[(work, size, peak in MB, MB beyond what was resident)]``; none where /proc is missing."""
    if not Path("/proc/self/status").exists():
        return []
    measured = []
    for work, sizes in SIZES.items():
        for size in sizes:
            say(f"peak memory: {TITLES[work]}, {size:,} {UNITS[work]}")
            command = [sys.executable, __file__, work, str(size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            measured.append((work, size, *json.loads(done.stdout)))
    return measured


def of_seeds(measured):
    """A line that holds ten seeds in one process against two processes of one; "" without both."""
    peaks = {work: peak for work, _, peak, _ in measured}
    if not {"train", "train many"} <= set(peaks):
        return ""
    share = peaks["train many"] / (2 * peaks["train"])
    return f"Ten seeds in one process take {share:.2f} of the memory of two processes of a seed."


def main(work, size):
    run = {
        "features": features, "shards": shards, "long shards": long_shards, "histogram": histogram,
        "maps": maps, "train": train, "train many": train_many,
    }[work]  # fmt: skip
    run(CHUNK if UNITS[work] == "rows" else 80)
    before = _memory_mb("VmRSS")
    run(size)
    peak = _memory_mb("VmHWM")
    print(json.dumps([peak, peak - before]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
