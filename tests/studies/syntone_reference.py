"""The published generator, written out: what the published variant is held to."""

import numpy as np
from scipy import signal as dsp


def reference_generator(sample_rate, freqs, amps, duration=1):
    """The published generator, a clip at a time, in float64."""
    t = np.linspace(0, duration, sample_rate * duration)
    waves = {
        "sine": np.sin,
        "triangle": lambda x: dsp.sawtooth(x, 0.5),
        "sawtooth": dsp.sawtooth,
        "square": dsp.square,
    }
    rows = [(f, a, name) for f in freqs for a in amps for name in waves]
    return rows, np.stack([a * waves[name](2 * np.pi * f * t) for f, a, name in rows])
