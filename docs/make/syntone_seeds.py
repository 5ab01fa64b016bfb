"""Train SynTone's full grid with several seeds, score it, and write the tables and the figure of
``docs/syntone.md``.

    python docs/make/syntone_seeds.py --epochs 2 --seeds 6            # trains, scores, writes
    python docs/make/syntone_seeds.py --page                          # the page alone

Every model is trained by both protocols and scored by both. A run that was stopped is resumed.
"""

import argparse
from pathlib import Path

import numpy as np
import syntone_page

from fastdis import _files, datasets, metrics, models, objectives, training
from fastdis.studies.syntone import OBJECTIVES, PROTOCOLS

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "syntone-seeds.json"
SCORES = "seeds-scores.json"


def train(folder, protocol, epochs, seeds):
    """All models of a protocol, the seeds of an objective concurrently."""
    dataset = datasets.SynTone(protocol).in_memory()
    model = models.build("conv3", 8, dataset.feature_shape)
    for name in OBJECTIVES:
        twice = 2 if name == "factor_vae" else 1
        print(f"{protocol}: {name}", flush=True)
        config = training.TrainConfig(
            epochs=twice * epochs, batch_size=twice * 64, path=str(folder / protocol / name),
            progress=False,
        )  # fmt: skip
        objective = objectives.build(name, protocol=protocol)
        for result in training.train_many(model, objective, dataset, config, seeds=range(seeds)):
            score(result, dataset, epochs)


def score(result, dataset, epochs):
    """Score a model by both conventions, and keep the scores in its run folder."""
    file = Path(result.config.path) / SCORES
    if file.exists() and _files.read_json(file, "scores")["epochs"] == epochs:
        return
    codes = training.encode(result.model, dataset, np.arange(len(dataset)))
    scores = {
        convention: metrics.evaluate_model(codes, dataset, convention=convention, runs=1, seed=0)
        for convention in metrics.SCORED_BY
    }
    _files.write_json(file, {"epochs": epochs, "scores": scores, "history": result.history})


def collect(folder, epochs, seeds):
    """Write all scores to one file, for the page."""
    rows = []
    for protocol in PROTOCOLS:
        for name in OBJECTIVES:
            for seed in range(seeds):
                row = _files.read_json(folder / protocol / name / f"seed={seed}" / SCORES, "scores")
                rows.append({"protocol": protocol, "name": name, "seed": seed, **row})
    _files.write_json(RESULTS, {"epochs": epochs, "seeds": seeds, "models": rows})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--path", type=Path, default=Path("runs/syntone-seeds"))
    parser.add_argument("--page", action="store_true")
    options = parser.parse_args()
    if not options.page:
        for protocol in PROTOCOLS:
            train(options.path, protocol, options.epochs, options.seeds)
        collect(options.path, options.epochs, options.seeds)
    syntone_page.write(_files.read_json(RESULTS, "scores of several seeds"))


if __name__ == "__main__":
    main()
