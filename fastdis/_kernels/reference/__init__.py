"""The plain NumPy twin of every kernel: the same name, signature and result.

They are the oracle of the tests, and they run where no native kernel was built.
"""

from fastdis._kernels.philox import philox
from fastdis._kernels.reference.curve import hilbert_order
from fastdis._kernels.reference.spectral import (
    fill_period,
    fold_bands,
    frames_to_mel,
    frames_to_spectra,
    mel_from_packed,
    mel_least_squares,
    overlap_add,
    pack_frames,
    pack_spectrum,
    partials_mel,
    project_phase,
    unpack_spectrum,
)  # fmt: skip
from fastdis._kernels.reference.statistics import (
    bin_columns,
    column_range,
    distinct_values,
    entropy_sums,
    interval_accuracy,
    joint_counts,
    joint_levels,
    resample,
    scaled_products,
    weighted_counts,
)  # fmt: skip
from fastdis._kernels.reference.synthesis import (
    add_noise,
    additive,
    normals,
    oscillator,
    oscillator_band_limited,
)  # fmt: skip

__all__ = [
    "add_noise", "additive", "bin_columns", "column_range", "distinct_values", "entropy_sums",
    "fill_period", "fold_bands", "frames_to_mel", "frames_to_spectra", "hilbert_order",
    "interval_accuracy", "joint_counts", "joint_levels", "mel_from_packed", "mel_least_squares",
    "normals", "oscillator", "oscillator_band_limited", "overlap_add", "pack_frames",
    "pack_spectrum", "partials_mel", "philox", "project_phase", "resample", "scaled_products",
    "unpack_spectrum", "weighted_counts",
]  # fmt: skip
