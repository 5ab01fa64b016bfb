"""Data sets: factors, synthesis and features joined into batches, on disk and off it."""

from fastdis.datasets.additive_toy import AdditiveToy
from fastdis.datasets.audio_files import export_audio
from fastdis.datasets.auditing.audit import audit
from fastdis.datasets.auditing.result import Audit, FactorAudit
from fastdis.datasets.base import Dataset, InMemory
from fastdis.datasets.digits import MNIST, Digits, images
from fastdis.datasets.npz import load_npz, save_npz
from fastdis.datasets.on_device import OnDevice
from fastdis.datasets.pairs import Pairs
from fastdis.datasets.registry import build
from fastdis.datasets.shards import open_shards, write_shards
from fastdis.datasets.standardised import Standardised
from fastdis.datasets.syntone import SynTone

__all__ = [
    "MNIST", "AdditiveToy", "Audit", "Dataset", "Digits", "FactorAudit", "InMemory", "OnDevice",
    "Pairs", "Standardised", "SynTone", "audit", "build", "export_audio", "images", "load_npz",
    "open_shards", "save_npz", "write_shards",
]  # fmt: skip
