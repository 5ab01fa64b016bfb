"""SynTone (Brima, Krumnack, Pika and Heidemann 2024): four VAEs, two protocols, their scores."""

from fastdis.studies.syntone.study import (
    OBJECTIVES,
    PRESETS,
    PROTOCOLS,
    Preset,
    load,
    make_dataset,
    run,
)  # fmt: skip

__all__ = ["OBJECTIVES", "PRESETS", "PROTOCOLS", "Preset", "load", "make_dataset", "run"]
