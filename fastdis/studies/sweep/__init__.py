"""A sweep: objectives x their options x latent sizes x seeds, to one table and one report page.

What to sweep stands in a YAML file::

    dataset: {name: SynTone, variant: sound, num_freqs: 30, num_amps: 8}  # or a path
    model: conv3
    protocol: sound            # of the objectives; by default the data set's own
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

Cells that differ in seeds and in weights of terms alone are trained in step by
:func:`fastdis.training.train_many`, and FactorVAE gets twice the epochs and batch, as in the other
studies. Each cell is a run folder below ``cells``; finished ones are left as they are when the
sweep is run again. In the folder of a sweep, cells may be added, and epochs where the learning
rate is constant; metrics and bootstrap may change. Anything else is another sweep.

``results.json`` holds a row a cell and a summary over seeds, ``results.csv`` and ``summary.csv``
the same as tables.
"""

from fastdis.studies.sweep.sweep import ENGINES, SWEEP, run

__all__ = ["ENGINES", "SWEEP", "run"]
