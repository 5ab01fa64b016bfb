"""fastdis: research on disentangled audio representations, fast.

Names are loaded on first use, so that ``import fastdis`` stays quick and brings neither torch nor
numba. ``__init__.pyi`` shows the whole public API on one page.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# public name -> the module that defines it
_NAMES = {
    **dict.fromkeys(("Factor", "FactorSpace", "FactorTable"), "factors"),
    **dict.fromkeys(
        ("Partials", "add_noise", "additive", "adsr", "harmonic_partials", "oscillator"),
        "synthesis",
    ),
    **dict.fromkeys(
        (
            "cqt", "db_to_power", "flatten", "flatten_order", "griffinlim", "griffinlim_cqt",
            "icqt", "istft", "mel_filters", "mel_to_audio", "melspectrogram",
            "melspectrogram_of_partials", "power_to_db", "stft", "unflatten",
        ),
        "features",
    ),
    **dict.fromkeys(("TrainConfig", "TrainResult", "load", "train", "train_many"), "training"),
    **dict.fromkeys(("get_num_threads", "set_num_threads"), "_threads"),
    "backends": "_kernels.backends",
}  # fmt: skip
_MODULES = (
    "datasets", "factors", "features", "metrics", "models", "nn", "objectives", "reports",
    "studies", "synthesis", "training",
)  # fmt: skip

__all__ = ["__version__", *sorted((*_NAMES, *_MODULES))]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"fastdis.{name}")
    if name not in _NAMES:
        raise AttributeError(f"module 'fastdis' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"fastdis.{_NAMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
