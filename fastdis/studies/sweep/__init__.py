"""Sweeps: objectives x their options x latent sizes x seeds, in one table and one report page.

A YAML file says what to sweep::

    dataset: {name: SynTone, variant: sound, num_freqs: 30, num_amps: 8}  # or a path
    model: conv3
    protocol: sound            # of the objectives; by default that of the data set
    objectives:
      - vae
      - {name: beta_vae, beta: [1, 4, 16]}         # any option may be a list
      - {name: beta_tcvae, beta: [4, 8], estimator: [mss, mws]}
    latent_dim: [4, 8]
    seeds: 5                   # 0 to 4, or a list
    metrics: [mig, dci, modularity, sap, jemmig]   # names or groups; these are the default
    bootstrap: 0               # resamples for confidence intervals
    epochs: 16                 # and anything else that a fastdis.TrainConfig takes
    batch_size: 16

Cells that differ only in seeds and in weights of terms are trained concurrently by
:func:`fastdis.training.train_many`; FactorVAE gets twice the epochs and batch size, as in the other
studies. Each cell is a run folder below ``cells``. When a sweep is run again, finished cells are
kept; cells may be added, epochs too if the learning rate is constant, and metrics and bootstrap may
change. Any other change needs another folder.

``results.json`` holds one row per cell and a summary over seeds, ``results.csv`` and
``summary.csv`` the same as tables.
"""

from fastdis.studies.sweep.sweep import ENGINES, SWEEP, run

__all__ = ["ENGINES", "SWEEP", "run"]
