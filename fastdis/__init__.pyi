# The public API on one page; every name is loaded on first use.
from fastdis import datasets as datasets
from fastdis import factors as factors
from fastdis import features as features
from fastdis import metrics as metrics
from fastdis import models as models
from fastdis import nn as nn  # STFT, MelSpectrogram, CQT, Oscillator, Additive, Noise
from fastdis import objectives as objectives
from fastdis import reports as reports
from fastdis import studies as studies
from fastdis import synthesis as synthesis
from fastdis import training as training
from fastdis._kernels.backends import backends as backends
from fastdis._threads import get_num_threads as get_num_threads
from fastdis._threads import set_num_threads as set_num_threads
from fastdis.factors import Factor as Factor
from fastdis.factors import FactorSpace as FactorSpace
from fastdis.factors import FactorTable as FactorTable
from fastdis.features import cqt as cqt
from fastdis.features import db_to_power as db_to_power
from fastdis.features import flatten as flatten
from fastdis.features import flatten_order as flatten_order
from fastdis.features import griffinlim as griffinlim
from fastdis.features import griffinlim_cqt as griffinlim_cqt
from fastdis.features import icqt as icqt
from fastdis.features import istft as istft
from fastdis.features import mel_filters as mel_filters
from fastdis.features import mel_to_audio as mel_to_audio
from fastdis.features import melspectrogram as melspectrogram
from fastdis.features import melspectrogram_of_partials as melspectrogram_of_partials
from fastdis.features import power_to_db as power_to_db
from fastdis.features import stft as stft
from fastdis.features import unflatten as unflatten
from fastdis.synthesis import Partials as Partials
from fastdis.synthesis import add_noise as add_noise
from fastdis.synthesis import additive as additive
from fastdis.synthesis import adsr as adsr
from fastdis.synthesis import harmonic_partials as harmonic_partials
from fastdis.synthesis import oscillator as oscillator
from fastdis.training import TrainConfig as TrainConfig
from fastdis.training import TrainResult as TrainResult
from fastdis.training import load as load
from fastdis.training import train as train
from fastdis.training import train_many as train_many

__version__: str
__all__: list[str]
