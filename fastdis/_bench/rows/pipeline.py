"""The row of the whole path: SynTone's factors to mel features in files, as published."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastdis._bench.measure import Contestant, Row, Scale, Trial, pick
from fastdis._bench.rows import features
from fastdis._bench.rows.synthesis import NAIVE, RATE, columns_of, spread_over
from fastdis.datasets import SynTone, open_shards, write_shards


class _Reference:
    """The published way: a clip at a time, generator, librosa, and one file at the end."""

    def __init__(self, dataset: SynTone, clips: int, file: Path) -> None:
        self.indices = spread_over(clips, len(dataset))
        self.columns = columns_of(dataset, self.indices)
        self.file = file

    def __call__(self) -> NDArray[np.float32]:
        import librosa

        from benchmarks.peers.synthesis import scipy_loop

        t = np.linspace(0, 1, RATE)
        kept = []
        shape, frequency, amplitude = self.columns
        for i in range(len(shape)):
            one = slice(i, i + 1)
            clip = scipy_loop((shape[one], frequency[one], amplitude[one]), t, np.float64)[0]
            mel = librosa.feature.melspectrogram(y=clip, sr=RATE)
            kept.append(librosa.util.normalize(mel))
        result = np.stack(kept).astype(np.float32)
        np.save(self.file, result, allow_pickle=False)
        return result


def _shards(scale: Scale) -> Trial:
    temporary = tempfile.TemporaryDirectory(prefix="fastdis-bench-")
    folder = Path(temporary.name)
    frequencies = pick(scale, 2, 50, 400)
    dataset = SynTone(num_freqs=frequencies, num_amps=20)
    reference = _Reference(dataset, pick(scale, 4, 100, 200), folder / "reference.npy")

    def tidy() -> None:
        shutil.rmtree(folder / "shards")

    def error() -> float:
        write_shards(dataset, folder / "shards")
        found = open_shards(folder / "shards").features(reference.indices)[:, 0]
        tidy()
        return float(np.abs(found - reference()).max())  # every column's peak is 1

    return Trial(
        [Contestant(lambda: write_shards(dataset, folder / "shards"), len(dataset), tidy=tidy)],
        [Contestant(reference, len(reference.indices), "1 thread")],
        error,
        bytes_moved=2 * 4 * features.N_MELS * features.FRAMES,  # into memory, and to the disk
        multiply_adds=NAIVE * RATE + features.MEL,
        keep=temporary,
    )


ROWS = (
    Row(
        "factors to mel shards on disk, SynTone's 32,000 clips",
        "generator and librosa, a clip at a time", _shards, 40, 1e-4,
        needs="librosa", own_peer=True,
        held_back="besides the transforms, every byte is divided by its column's peak, hashed, "
        "written and forced to the disk",
    ),
)  # fmt: skip
