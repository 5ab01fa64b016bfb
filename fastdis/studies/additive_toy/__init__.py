"""The additive toy data set (Bedoya et al.): six factors, four representations, five networks."""

from fastdis.studies.additive_toy.grid import PRESETS, Preset
from fastdis.studies.additive_toy.study import AUDITED, SHOWN, load, run

__all__ = ["AUDITED", "PRESETS", "SHOWN", "Preset", "load", "run"]
