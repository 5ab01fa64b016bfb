"""Synthesis and features as torch modules, for CPU and CUDA, with gradients.

Parameter names, defaults and results are those of :mod:`fastdis.synthesis` and
:mod:`fastdis.features`. Parameters, and values given as numbers or arrays, are checked in full;
of a tensor only the type and the shape are, since a look at its values would wait for the device:
NaN in gives NaN out. Batches are worked through in chunks of whole clips, so that the memory
beyond input and output depends on the length of a clip, not on how many there are.

The modules hold no parameters and an empty ``state_dict``; what they precompute moves with
``.to(device)`` and stays in its precision under ``.half()`` and autocast.
"""

from fastdis.nn.additive import Additive
from fastdis.nn.constant_q import CQT
from fastdis.nn.noise import Noise
from fastdis.nn.oscillator import Oscillator
from fastdis.nn.spectral import STFT, MelSpectrogram

__all__ = ["CQT", "STFT", "Additive", "MelSpectrogram", "Noise", "Oscillator"]
