"""Published systems, one short file each: recipes that only compose the other stages."""

from fastdis.studies import syntone
from fastdis.studies._common import score, train_all

__all__ = ["score", "syntone", "train_all"]
