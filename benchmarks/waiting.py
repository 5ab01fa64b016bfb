"""How long training waits for batches, by where the features come from; prints a table.

python benchmarks/waiting.py        about half a minute on two cores
"""

import tempfile
from pathlib import Path

from fastdis import TrainConfig, datasets, models, objectives, train
from fastdis._bench import table
from fastdis.reports.text import markdown_lines

AT_MOST = 0.03
EPOCHS = 2  # the first one also warms up and is not counted


def sets(folder, clips):
    """The same SynTone, its features from three places."""
    tones = datasets.SynTone("sound", num_freqs=clips // 80)
    datasets.write_shards(tones, folder / "shards", rows_per_shard=512)
    return {
        "memory": tones.in_memory(),
        "shards on disk, memory-mapped": datasets.open_shards(folder / "shards"),
        "the kernels, rendered anew for every batch": tones,
    }


def share(dataset):
    """Of the time of an epoch."""
    model = models.build("conv3", 8, dataset.feature_shape, seed=0)
    config = TrainConfig(
        epochs=EPOCHS, validation=0.0, progress=False, compile="never", dtype="float32",
        memory_format="channels_last",
    )  # fmt: skip
    return train(model, objectives.build("beta_vae"), dataset, config).history[-1]["waiting"]


def measure(clips=3200):
    """``(where from, share)`` of each."""
    with tempfile.TemporaryDirectory(prefix="fastdis-waiting-") as folder:
        return [(name, share(each)) for name, each in sets(Path(folder), clips).items()]


def markdown(measured):
    """The table of RESULTS.md."""
    rows = ((name, f"{each:.2%}", table.reached(each < AT_MOST)) for name, each in measured)
    return markdown_lines(("features from", "waiting", f"under {AT_MOST:.0%}"), rows)


if __name__ == "__main__":
    print(markdown(measure()))
