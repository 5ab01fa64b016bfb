"""What the SynTone paper printed, and why a repetition differs from it."""

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
    "its arguments in each other's place: the codes are passed as the factors and the labels as "
    "the codes. Scored that way, a metric asks whether each code is explained by a single factor "
    "and averages over all codes, dead ones included. A perfect representation then gets a MIG of "
    "about 0.34 instead of 0.89 (in 10 bins), and DCIMIG is near zero for anything that is not "
    "perfect. The published evaluation also scores sampled codes rather than means, treats "
    "the waveform as a number, and uses 10 bins. The second and third columns hold the same "
    "models and differ in the scoring alone.",
    "Second, what was trained differs. The published features divide each column by its maximum, "
    "which erases amplitude: no score that counts amplitude can be high. Above a sixth of the "
    "sample rate a triangle and a square, and above a quarter a sawtooth too, differ from a sine "
    "by aliasing alone. And the published loss sums the squared error over the batch while it "
    "averages the KL, so at batch size B a beta of 4 acts as 4 / B. The last column "
    "mends all three: the data set carries all its factors, and the objectives are those of the "
    "papers that introduced them. Ranks between the models are not to be read across columns, "
    "nor from a single seed.",
]
