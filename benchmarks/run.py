"""Regenerate RESULTS.md and the pictures beside it: speed, scaling, memory, first calls.

python benchmarks/run.py      about fifteen minutes on two cores; leave the machine alone meanwhile
"""

import json
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import bench_training
import memory
import scaling
import waiting

from fastdis import _files
from fastdis._bench import suite, table
from fastdis._bench.measure import REPEATS
from fastdis._threads import get_num_threads
from fastdis.reports.text import markdown_lines

HERE = Path(__file__).parent
GPU_SECONDS = 1.0
GPU_TARGET = (
    "All 32,000 clips of SynTone from factor table to mel, which `python benchmarks/bench_nn.py`\n"
    f"measures, are to take under {GPU_SECONDS:g} second. "
)
PICTURE = HERE / "results" / "scaling.png"

TEXT = """# Benchmarks

`python benchmarks/run.py` wrote this page in {minutes:.0f} minutes; `fastdis bench` prints the
tables of its short form. Peers come with `pip install 'fastdis[bench]'`.

## Speed

Each row was checked first: the error is that of fastdis against float64, and the peer has to
compute the same. Then fastdis and its peer took turns, {repeats} times after a warm-up, each on up
to {threads} threads; speeds are medians.
Where a side has settings, such as the size of a batch, all were tried and the fastest was timed.
The spread is the interquartile range of the paired ratios over their median. A clip is one second
at 16 kHz.

{rows}

*Of its limit* is the least time this machine could need over the time taken. The limit is the
slower of two: the bytes moved (each argument read once, each result written once) at the measured
speed of a copy, or the multiply-adds of the method at the measured speed of those
{how}.
A float64 multiply-add counts as two, and an addition or product alone, of integers too, as one. A
real transform of n points takes 2.5 n log2 n operations and counts as half as many multiply-adds.
Where they depend on the data they are not counted, and the column is empty.

{limits}

docs/performance.md says what was tried where a ratio is not reached.

{held_back}

## Threads

The same call on one thread and on all, in turn.

{speedups}

## Scaling

![time against size]({picture})

Median times on logarithmic axes. In brackets, and below, the slope over the largest sixteenfold of
sizes, where 1 is linear: a slope of at most {linear} counts as that. Results are written into
arrays that exist. Frames of `n_fft` points take `n_fft log n_fft`; powers of two up to 8,192 go
through one fused kernel, and 16,384 through FFTW with passes over memory before and after it, so
that curve has a step at its end and no figure to reach. An oscillator reads the time axis of a clip
of millions of samples from memory, of a shorter one from the cache; the counts of hundreds of codes
outgrow the caches, too.

{slopes}

## Memory

The peak of a process of its own, and how much of it is beyond what was resident after the imports
and a first small call. At most {at_most} MB are allowed, whatever the size.

{memory}

## A million labelled clips

`python benchmarks/stream.py` renders them as a stream; asked for are 60 s and 500 MB.

```
{stream}
```

## Waiting for batches

The share of the time of a training epoch (batch 64, float32) in which the step had to wait for its
batch, which a thread makes one ahead: `python benchmarks/waiting.py`.

{waiting}

## On a GPU

{gpu}

{gpu_training}

## First calls

{first_calls}

## Where

{machine}

{versions}
"""


def say(text):
    print(f"[{datetime.now():%H:%M:%S}] {text}", file=sys.stderr, flush=True)


def stream():
    """What stream.py prints, in a process of its own."""
    command = [sys.executable, str(HERE / "stream.py")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.rstrip()


def memory_table(measured):
    rows = (
        (
            memory.TITLES[work],
            f"{size:,} {memory.UNITS[work]}",
            f"{peak:.0f} MB",
            f"{beyond:.0f} MB",
            table.reached(beyond <= memory.AT_MOST_MB),
        )
        for work, size, peak, beyond in measured
    )
    return markdown_lines(
        ("work", "size", "peak", "beyond", f"at most {memory.AT_MOST_MB} MB"), rows
    )


def slopes_table(panels):
    rows = (
        (
            grows,
            one.name,
            f"{one.slope:.2f}",
            "" if grows == scaling.OF_N_FFT else table.reached(one.slope <= scaling.LINEAR),
            f"{one.seconds[-1]:.3g} s for {one.sizes[-1]:,}",
        )
        for grows, curves in panels.items()
        for one in curves
    )
    header = ("time against", "of", "slope", f"at most {scaling.LINEAR}", "the largest")
    return markdown_lines(header, rows)


def gpu_table():
    """What `bench_nn.py --json results/nn-DEVICE.json` wrote wherever a GPU was at hand."""
    rows = []
    for file in sorted((HERE / "results").glob("nn-*.json")):
        results = json.loads(file.read_text())
        rows += [
            (row["work"], results["where"]["device"], f"{row['clips']:,} clips",
             f"{row['seconds']:.3f} s", table.reached(row["seconds"] < GPU_SECONDS),
             f"{row['error']:.0e}", f"{row['spread']:.0%}")
            for row in results["rows"]
        ]  # fmt: skip
    if not rows:
        return GPU_TARGET + "Not measured: no CUDA device was at hand."
    header = ("work", "on", "size", "takes", f"under {GPU_SECONDS:g} s", "error", "spread")
    return GPU_TARGET + "\n\n" + markdown_lines(header, rows)


def gpu_training():
    """What `bench_training.py --gpu` wrote wherever a GPU was at hand."""
    files = sorted((HERE / "results").glob("training-*.json"))
    if not files:
        return "Training (`python benchmarks/bench_training.py --gpu`): not measured, as above."
    return "\n\n".join(bench_training.shown(json.loads(file.read_text())) for file in files)


def main():
    start = time.perf_counter()
    report = suite.run("full", say)
    panels = scaling.measure(say)
    PICTURE.parent.mkdir(exist_ok=True)
    scaling.draw(panels, PICTURE)
    peaks = memory.measure(say)
    say("a million labelled clips")
    streamed = stream()
    say("waiting for batches")
    waits = waiting.measure()
    text = TEXT.format(
        minutes=(time.perf_counter() - start) / 60,
        repeats=REPEATS["full"],
        threads=get_num_threads(),
        rows=table.rows_table(report.outcomes, report.limits),
        how=report.limits.by,
        limits=table.limits_table(report.limits),
        speedups=table.speedups_table(report.speedups),
        linear=scaling.LINEAR,
        held_back=table.held_back(report.outcomes, report.limits),
        picture=PICTURE.relative_to(HERE),
        slopes=slopes_table(panels),
        at_most=memory.AT_MOST_MB,
        memory=memory_table(peaks) + "\n\n" + memory.of_seeds(peaks),
        stream=streamed,
        waiting=waiting.markdown(waits),
        gpu=gpu_table(),
        gpu_training=gpu_training(),
        first_calls=table.first_calls_table(report.first_calls),
        machine=table.pairs_table(("machine", ""), report.machine),
        versions=table.pairs_table(("version", ""), report.versions),
    )
    with _files.replacing(HERE / "RESULTS.md") as partial:
        partial.write_text(text, encoding="utf-8")
    print(HERE / "RESULTS.md")


if __name__ == "__main__":
    main()
