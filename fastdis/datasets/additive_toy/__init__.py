"""The additive toy data set: six factors of a sound made of partials, four representations."""

from fastdis.datasets.additive_toy.dataset import AdditiveToy

__all__ = ["AdditiveToy"]
