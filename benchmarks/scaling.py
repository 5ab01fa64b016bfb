"""Time against size, drawn: clips, clip length, partials, n_fft, codes and rows.

Results go into arrays that exist, pages and all: what the system takes to hand out fresh memory is
no kernel's.

A slope is that of log time over log size in the upper part of a curve, its largest sixteenfold;
1 is linear. Below it the curve shows what a call costs by itself.
"""

import time
from dataclasses import dataclass

import numpy as np

import fastdis as fd
from fastdis import metrics
from fastdis._bench.rows.features import clips
from fastdis._bench.rows.statistics import columns
from fastdis._bench.rows.synthesis import RATE, tones

PART = 1024  # clips a call at most; a longer run is made of such calls
MELS = 20  # of the shortest frames: more filters would lie between their bins
UPPER = 16  # the slope is taken over sizes from largest / UPPER
BUDGET = 0.4  # seconds of repeats a point
LINEAR = 1.15  # the most that a slope may be and count as linear


@dataclass
class Curve:
    """Seconds of one kernel at each size."""

    name: str
    sizes: list[int]
    seconds: list[float]

    @property
    def slope(self):
        """Of the upper part, in logarithms."""
        x, y = np.array(self.sizes, float), np.array(self.seconds)
        upper = x >= x[-1] / UPPER
        return float(np.polyfit(np.log(x[upper]), np.log(y[upper]), 1)[0])


def curve(name, sizes, prepare):
    """Time ``prepare(size)()``: a call to warm up, then the median of 3 to 9."""
    seconds = []
    for size in sizes:
        run = prepare(size)
        run()
        took = [_seconds(run)]
        while len(took) < 3 or (len(took) < 9 and sum(took) < BUDGET):
            took.append(_seconds(run))
        seconds.append(float(np.median(took)))
    return Curve(name, list(sizes), seconds)


def _seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _in_parts(work, out):
    """``prepare`` for a number of clips: ``work(count)`` handles at most ``len(out)``."""

    def prepare(size):
        parts = [len(out)] * (size // len(out)) + [size % len(out)] * (size % len(out) > 0)
        return lambda: [work(count) for count in parts]

    return prepare


def of_clips(sizes):
    audio, out = clips(PART), np.zeros((PART, RATE), np.float32)
    frequency, snr, partials = np.linspace(440, 8000, PART), np.full(PART, 10.0), tones(PART)
    shape = np.arange(PART) % 4
    mels = fd.melspectrogram(audio, sr=RATE)
    work = {
        "oscillator": lambda n: fd.oscillator(shape[:n], frequency[:n], out=out[:n]),
        "oscillator, band-limited": lambda n: fd.oscillator(
            shape[:n], frequency[:n], band_limited=True, out=out[:n]
        ),
        "additive, 40 partials": lambda n: fd.additive(
            type(partials)(*(column[:n] for column in partials)), out=out[:n]
        ),
        "add_noise": lambda n: fd.add_noise(audio[:n], snr[:n], seed=0, out=out[:n]),
        "melspectrogram": lambda n: fd.melspectrogram(audio[:n], sr=RATE, out=mels[:n]),
    }
    return [curve(name, sizes, _in_parts(run, out)) for name, run in work.items()]


def of_length(sizes):
    count = 8

    def sound(size):
        return np.random.default_rng(0).random((count, size), np.float32) - np.float32(0.5)

    def oscillator(size):
        out = np.ones((count, size), np.float32)
        return lambda: fd.oscillator("square", np.linspace(440, 880, count),
                                     duration=size / RATE, out=out)  # fmt: skip

    def additive(size):
        partials, out = tones(count), np.zeros((count, size), np.float32)
        return lambda: fd.additive(partials, duration=size / RATE, out=out)

    def mel(size):
        audio = sound(size)
        out = fd.melspectrogram(audio, sr=RATE)
        return lambda: fd.melspectrogram(audio, sr=RATE, out=out)

    works = {"oscillator": oscillator, "additive, 40 partials": additive, "melspectrogram": mel}
    return [curve(name, sizes, prepare) for name, prepare in works.items()]


def of_partials(sizes):
    out = np.zeros((32, RATE), np.float32)

    def additive(size):
        partials = tones(len(out), size)
        return lambda: fd.additive(partials, out=out)

    return [curve("additive, 32 clips", sizes, additive)]


def of_n_fft(sizes):
    audio = clips(64)

    def mel(size):
        options = {"sr": RATE, "n_fft": size, "n_mels": MELS}
        out = fd.melspectrogram(audio, **options)
        return lambda: fd.melspectrogram(audio, **options, out=out)

    def stft(size):
        out = fd.stft(audio, n_fft=size, hop_length=512)
        return lambda: fd.stft(audio, n_fft=size, hop_length=512, out=out)

    return [curve("melspectrogram", sizes, mel), curve("stft", sizes, stft)]


def of_codes(sizes):
    def histogram(size):
        factors, codes = columns(100_000, size)
        return lambda: metrics.joint_histogram(factors, codes, discrete=False)

    return [curve("joint_histogram, 100,000 rows", sizes, histogram)]


def of_rows(sizes):
    factors, codes = columns(sizes[-1])

    def histogram(size):
        return lambda: metrics.joint_histogram(factors[:size], codes[:size], discrete=False)

    return [curve("joint_histogram, 10 codes", sizes, histogram)]


OF_N_FFT = "n_fft, hop 512"
PANELS = {
    "clips of one second": (of_clips, [1, 4, 16, 64, 256, 1024, 4096, 16_000, 32_000]),
    "samples a clip, 8 clips": (of_length, [1000 * 4**i for i in range(8)]),
    "partials": (of_partials, [1, 4, 10, 40, 160, 640, 2560]),
    OF_N_FFT: (of_n_fft, [2**i for i in range(8, 15)]),
    "codes": (of_codes, [1, 4, 16, 64, 256]),
    "rows": (of_rows, [1000 * 4**i for i in range(7)]),
}


def measure(say=print):
    """All panels: ``{what grows: curves}``."""
    panels = {}
    for grows, (measured, sizes) in PANELS.items():
        say(f"time against {grows}")
        panels[grows] = measured(sizes)
    return panels


def draw(panels, file):
    """One log-log panel each; the dotted line through a curve's last point is linear."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.4), layout="constrained")
    for axes, (grows, curves) in zip(figure.subplots(2, 3).flat, panels.items(), strict=True):
        for one in curves:
            (line,) = axes.loglog(
                one.sizes, one.seconds, "o-", markersize=3, label=f"{one.name} ({one.slope:.2f})"
            )
            sizes = np.array([one.sizes[0], one.sizes[-1]])
            axes.loglog(
                sizes, one.seconds[-1] * sizes / sizes[1], ":", color=line.get_color(), linewidth=1
            )
        fastest = min(min(one.seconds) for one in curves)
        axes.set_ylim(bottom=fastest / 3)  # where the dotted lines would go on
        axes.set_xlabel(grows)
        axes.set_ylabel("seconds")
        axes.legend(fontsize=7)
        axes.grid(alpha=0.3)
    figure.savefig(file, dpi=90)
