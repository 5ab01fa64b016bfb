"""From factor columns to audio ``(B, T)``: waveforms, partials, envelopes and noise."""

from fastdis.synthesis.envelopes import adsr
from fastdis.synthesis.noise import add_noise
from fastdis.synthesis.partials import Partials, additive, harmonic_partials
from fastdis.synthesis.waveforms import SHAPES, oscillator

__all__ = [
    "SHAPES", "Partials", "add_noise", "additive", "adsr", "harmonic_partials", "oscillator",
]  # fmt: skip
