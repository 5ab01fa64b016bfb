"""Published systems, one short file each: recipes that only compose the other stages."""

from fastdis.studies import sweep, syntone
from fastdis.studies._common import score, train_all, train_seeds

__all__ = ["score", "sweep", "syntone", "train_all", "train_seeds"]
