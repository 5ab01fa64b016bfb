"""Table 1 of the SynTone paper, and why a repetition differs from it."""

# Table 1 of the paper: mean and standard deviation over 10 evaluation runs.
TABLE_1 = {
    "vae": {
        "mig": (0.280, 0.0), "sap": (0.045, 0.0), "dcimig": (0.005, 0.0),
        "jemmig": (0.300, 0.0), "modularity": (0.651, 0.031),
    },
    "beta_vae": {
        "mig": (0.184, 0.0), "sap": (0.035, 0.0), "dcimig": (0.004, 0.0),
        "jemmig": (0.201, 0.0), "modularity": (0.750, 0.022),
    },
    "factor_vae": {
        "mig": (0.118, 0.0), "sap": (0.035, 0.0), "dcimig": (0.003, 0.0),
        "jemmig": (0.126, 0.0), "modularity": (0.762, 0.014),
    },
    "beta_tcvae": {
        "mig": (0.166, 0.0), "sap": (0.023, 0.0), "dcimig": (0.005, 0.0),
        "jemmig": (0.183, 0.0), "modularity": (0.747, 0.016),
    },
}  # fmt: skip

EXPLANATION = [
    "The columns differ for two reasons. First, the published evaluation calls every metric with "
    "swapped arguments: the codes are passed as the factors and the labels as the codes. Scored "
    "that way, a metric asks whether each code is explained by a single factor, and averages over "
    "all codes, inactive ones included. A perfect representation then gets a MIG of about 0.34 "
    "instead of 0.89 (in 10 bins), and DCIMIG is near zero for any representation that is not "
    "perfect. The published evaluation also scores sampled codes rather than means, treats the "
    "waveform as a number, and uses 10 bins. The second and third columns show the same models "
    "and differ only in the scoring.",
    "Second, the training differs. The published features divide each column by its maximum, "
    "which erases amplitude: no score that includes amplitude can be high. Above a sixth of the "
    "sample rate a triangle and a square differ from a sine only by aliasing, above a quarter a "
    "sawtooth does, too. And the published loss sums the squared error over the batch but averages "
    "the KL divergence, so at batch size B a beta of 4 acts as 4 / B. The last column corrects all "
    "three: the features keep all factors, and the objectives are those of the papers that "
    "introduced them. Rankings of the models cannot be compared across columns, nor drawn from a "
    "single seed.",
]
