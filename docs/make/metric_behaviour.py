"""What each metric sees: scores of codes that lose one property step by step.

python docs/make/metric_behaviour.py              all figures of docs/metrics.md, in 2 minutes
python docs/make/metric_behaviour.py --page       its tables again, from the stored figures
python docs/make/metric_behaviour.py --quick DIR  few rows, two steps and one seed, into DIR

Writes benchmarks/results/metric-behaviour.json (with the figures of metric_cases.py), the picture
docs/metrics-behaviour.png and, by metric_tables.py, the tables of docs/metrics.md.
"""

import argparse
import json
import multiprocessing
import os
import re
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import metric_cases
import metric_tables
import numpy as np

import fastdis
from fastdis import _files, metrics
from fastdis.metrics._catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]
STORED = Path("benchmarks", "results", "metric-behaviour.json")
PICTURE = Path("docs", "metrics-behaviour.png")
PAGE = Path("docs", "metrics.md")

FULL = {"rows": 3000, "seeds": 5, "steps": (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)}
QUICK = {"rows": 300, "seeds": 1, "steps": (0.0, 1.0)}
FACTORS, BINS, PIECES = 3, 10, 10
WIDTH = np.sqrt(12)  # of a uniform distribution of variance 1


# Each way takes factors (N, 3) of mean 0 and variance 1, and leads from perfect codes at x = 0 to
# none of the property at x = 1.


def noisy(v, x, rng):
    """Codes are (1 - x) factor + x noise."""
    return (1 - x) * v + x * rng.standard_normal(v.shape)


def spread(v, x, rng):
    """Each factor is turned against noise, up to 45 degrees: two codes, half of it in each."""
    noise, turn = WIDTH * (rng.random(v.shape) - 0.5), x * np.pi / 4
    return np.hstack([np.cos(turn) * v + np.sin(turn) * noise,
                      np.cos(turn) * noise - np.sin(turn) * v])  # fmt: skip


def mixed(v, x, rng):
    """The codes are turned about their diagonal, up to 60 degrees: each holds two factors alike."""
    turn, shift = x * np.pi / 3, np.roll(np.eye(FACTORS), 1, axis=0)
    rotation = (
        np.cos(turn) * np.eye(FACTORS) + (1 - np.cos(turn)) / 3
        + np.sin(turn) / np.sqrt(3) * (shift - shift.T)
    )  # fmt: skip
    return v @ rotation.T


def scrambled(v, x, rng):
    """The range of each code is cut in pieces that change places: one-to-one, but no line."""
    unit = np.clip(v / WIDTH + 0.5, 0.0, 1.0 - 1e-9) * PIECES
    piece = unit.astype(int)
    keys = (1 - x) * np.arange(PIECES) + x * PIECES * rng.random((FACTORS, PIECES))
    place = keys.argsort(axis=1).argsort(axis=1)
    moved = np.take_along_axis(place.T, piece, axis=0) + unit - piece
    return WIDTH * (moved / PIECES - 0.5)


WAYS = {"noise": noisy, "spreading": spread, "mixing": mixed, "scrambling": scrambled}


def scores_of(job):
    """The panel's scores of one way, step and seed."""
    way, step, seed, rows = job
    rng = np.random.default_rng(seed)
    factors = WIDTH * (rng.random((rows, FACTORS)) - 0.5)
    codes = WAYS[way](factors, step, rng)
    return dict(
        metrics.evaluate(factors, codes, bins=BINS, discrete=False, active="informative", seed=seed)
    )


def behaviour(size, workers):
    """By metric and way: the scores of every seed at each step, ``(steps, seeds)``."""
    jobs = [(way, step, seed, size["rows"]) for way in WAYS for step in size["steps"]
            for seed in range(size["seeds"])]  # fmt: skip
    found = list(_each(scores_of, jobs, workers))
    shape = len(WAYS), len(size["steps"]), size["seeds"]
    tables = {
        name: np.reshape([scores[name] for scores in found], shape).tolist() for name in found[0]
    }
    return {name: dict(zip(WAYS, table, strict=True)) for name, table in tables.items()}


def _each(function, jobs, workers):
    """The results in order; by processes of one thread each if there are several."""
    if workers == 1:
        return map(function, jobs)
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", FASTDIS_NUM_THREADS="1")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        return pool.map(function, jobs, chunksize=1)


# The picture: a small plot a metric, in the order of what they measure.

LINES = {  # colour (Okabe & Ito 2008, for colour-blind readers), dash, width, what is said of it
    "spreading": ("#56b4e9", "-", 2.6, "spreading: each factor over two codes"),
    "noise": ("#333333", (0, (1, 1.2)), 1.2, "noise: drowns the factors"),
    "mixing": ("#d55e00", "-", 1.2, "mixing: two factors in each code"),
    "scrambling": ("#007a5e", (0, (4, 2)), 1.2, "scrambling: ranges of a code change places"),
}
COLUMNS = 7
SIDE, PITCH, ROW, HEADING, TOP, EDGE = 0.82, 1.04, 1.24, 0.27, 0.5, 0.3  # inches


def draw(figures, path):
    """Write the picture."""
    from matplotlib.figure import Figure

    lines = metric_tables.lines(figures["behaviour"], COLUMNS)
    headings = sum(any(title for title, _ in line) for line in lines)
    width = EDGE + COLUMNS * PITCH
    height = TOP + len(lines) * ROW + headings * HEADING + EDGE
    figure, y = Figure((width, height)), height - TOP
    for line in lines:
        x = EDGE
        y -= HEADING if line[0][0] else 0.0
        for title, names in line:
            figure.text((x - 0.1) / width, (y + 0.06) / height, title, fontsize=8.5)
            for name in names:
                box = x / width, (y - ROW + 0.13) / height, SIDE / width, SIDE / height
                _plot(figure.add_axes(box), figures, name)
                x += PITCH
            x += PITCH / 2
        y -= ROW
    figure.text(0.5, 0.1 / height, "from perfect codes (0) to none of the property left (1)",
                fontsize=8, ha="center")  # fmt: skip
    handles = [
        figure.axes[0].plot([], [], color=color, linestyle=dash, linewidth=wide, label=text)[0]
        for color, dash, wide, text in (LINES[way] for way in WAYS)
    ]
    figure.legend(handles=handles, loc="upper center", ncols=2, fontsize=8, frameon=False)
    with _files.replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=200)


def _plot(axes, figures, name):
    steps = figures["settings"]["steps"]
    for way, (color, dash, wide, _) in LINES.items():
        scores = np.array(figures["behaviour"][name][way])
        axes.fill_between(steps, scores.min(axis=1), scores.max(axis=1),
                          color=color, alpha=0.25, linewidth=0)  # fmt: skip
        axes.plot(steps, scores.mean(axis=1), color=color, linestyle=dash, linewidth=wide)
    axes.set_title(textwrap.fill(CATALOGUE[name].title, 20), fontsize=7, pad=3)
    axes.set(xlim=(0, 1), ylim=(-0.04, 1.06), xticks=(0, 1), yticks=(0, 1))
    axes.tick_params(labelsize=6.5, length=2, pad=1)
    axes.spines[["top", "right"]].set_visible(False)


def main(arguments=None):
    """Parse, run, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", action="store_true", help="write the page's tables alone")
    parser.add_argument("--quick", type=Path, metavar="DIR", help="a small run, written to DIR")
    chosen = parser.parse_args(arguments)
    root, size, workers = ROOT, FULL, 2
    if chosen.quick:
        root, size, workers = chosen.quick, QUICK, 1
    if not chosen.page:
        start = time.monotonic()
        figures = {
            "settings": {**size, "bins": BINS, "fastdis": fastdis.__version__},
            "behaviour": behaviour(size, workers),
            **metric_cases.measured(size["rows"]),
        }
        _store(root / STORED, figures)
        print(f"{time.monotonic() - start:.0f} s")
    figures = json.loads((root / STORED).read_text())
    draw(figures, root / PICTURE)
    page = metric_tables.filled((ROOT / PAGE).read_text(), figures)
    with _files.replacing(root / PAGE) as partial:
        partial.write_text(page)


def _store(path, figures):
    """JSON of four decimals, with a line for each list of numbers."""
    text = json.dumps(figures, indent=1, allow_nan=False)
    text = re.sub(r"\d+\.\d{5,}", lambda found: f"{float(found[0]):.4f}", text)
    text = re.sub(r"\[[-\d.,\s]*\]", lambda found: " ".join(found[0].split()), text)
    with _files.replacing(path) as partial:
        partial.write_text(text + "\n")


if __name__ == "__main__":
    main()
