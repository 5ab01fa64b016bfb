"""Audio to STFT, mel, CQT and decibels, and back; a batch of clips at a time, in float32.

Parameter names and defaults are librosa's (McFee et al., SciPy 2015); the batch axis is first.
"""

from fastdis.features.constant_q.inverse import griffinlim_cqt, icqt
from fastdis.features.constant_q.transform import cqt
from fastdis.features.decibels import db_to_power, power_to_db
from fastdis.features.flattening import flatten, flatten_order, unflatten
from fastdis.features.griffin_lim import griffinlim
from fastdis.features.mel import mel_filters, mel_to_audio, melspectrogram
from fastdis.features.mel_of_partials import melspectrogram_of_partials
from fastdis.features.spectra import istft, stft

__all__ = [
    "cqt", "db_to_power", "flatten", "flatten_order", "griffinlim", "griffinlim_cqt", "icqt",
    "istft", "mel_filters", "mel_to_audio", "melspectrogram", "melspectrogram_of_partials",
    "power_to_db", "stft", "unflatten",
]  # fmt: skip
