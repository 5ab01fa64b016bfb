"""Rows of the additive toy study as its grid would leave them, of numbers that are known."""

from fastdis.studies.additive_toy import grid

BY_CONDITION = {
    grid.REPORTED: ["f0", "inharmonicity", "slope"],
    "clean": ["f0", "inharmonicity", "slope", "harmonics"],
    "decay": ["f0", "inharmonicity", "slope", "harmonics", "decay"],
    "noise": ["f0", "inharmonicity", "slope", "harmonics", "snr_db"],
    "noise and decay": ["f0", "inharmonicity", "slope", "harmonics", "snr_db", "decay"],
    grid.IMAGES: ["digit"],
}


def row(group, beta, *, explained=0.5, probe=0.4, mig=0.1):
    """One cell; what a test does not name is the same in all of them."""
    names = BY_CONDITION[group.condition]
    made = {
        "system": group.system, "condition": group.condition, "latent_dim": group.latent_dim,
        "beta": beta, "clips": 2000, "validation": [4.0, 2.0, 1.5, 1.0],
        "explained": explained, "explained_expected": explained, "ceiling": 0.9, "kl": 3.0,
        "active": min(group.latent_dim, 5), "names": names,
        "scores": {"probe": probe, "mig": mig, "dcimig": 0.1, "modularity": 0.8,
                   "knn_accuracy": 0.7},
        "information": [0.3] * len(names), "carriers": list(range(len(names))),
        "gaps": [0.05] * len(names), "chance": {"probe": 0.05},
        "chance_information": [0.01] * len(names), "shares": [0.2] * group.latent_dim,
        "holds": [0] * group.latent_dim,
        "data": "Digits" if group.condition == grid.IMAGES else "AdditiveToy",
    }  # fmt: skip
    if group.condition != grid.IMAGES and group.of.representation != "waveform":
        if "decay" in names:
            made["by_decay"] = {"0": [6.0, 12.0], "5": [5.0, 11.0], "10": [4.0, 10.0]}
        if group.of.representation == "cqt":
            made |= {"fundamental": [3.0, 9.0], "partials": [5.0, 11.0]}
    return made


def rows(**changed):
    """The whole grid; ``changed`` maps a system to what its rows have instead."""
    return [
        row(group, beta, **changed.get(group.system.replace("-", "_"), {}))
        for group in grid.groups()
        for beta in grid.BETAS
    ]
