"""The names that flags of the command line take.

They are written down here once more, because ``fastdis --help`` answers in under a second and the
modules that define them import torch and numba. A test compares them with those modules.
"""

STUDIES = ("syntone", "additive-toy")
SYNTONE_OBJECTIVES = ("vae", "beta_vae", "factor_vae", "beta_tcvae")
OBJECTIVES = (
    *SYNTONE_OBJECTIVES, "annealed_vae", "dip_vae_i", "dip_vae_ii", "info_vae", "ada_gvae",
)  # fmt: skip
PROTOCOLS = ("published", "corrected", "sound")
MODELS = ("conv3", "conv4", "mlp", "cnn", "conv1d", "conv1d_dilated", "attention_rnn")
ESTIMATORS = ("plugin", "miller_madow", "kraskov")
CONVENTIONS = ("standard", "disentanglement_lib", "ubisoft", "published")
COMPILE = ("never", "always", "measure")
MEMORY_FORMATS = ("contiguous", "channels_last", "measure")
DTYPES = ("float32", "float64", "bfloat16", "tf32", "measure")
TUNE = ("never", "measure")
