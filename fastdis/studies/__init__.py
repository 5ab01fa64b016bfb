"""Published systems, one short file each: recipes that only compose the other stages."""

from fastdis.studies import syntone

__all__ = ["syntone"]
