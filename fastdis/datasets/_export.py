"""A folder of WAV or FLAC files with the labels beside it, for any other tool."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastdis import _files, _threads, _validation
from fastdis.datasets._base import CHUNK, Dataset

FORMATS = ("wav", "flac")


def export_audio(
    dataset: Dataset,
    path: str | Path,
    *,
    format: str = "wav",
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Write every clip as a 24-bit file, with ``labels.csv`` and ``labels.parquet`` beside them.

    Files that are there already are kept, so a killed run goes on where it stopped.

    Parameters
    ----------
    dataset
        Any data set of this package.
    path
        The folder.
    format
        ``"wav"`` or ``"flac"``.
    progress
        Called with the number of clips each time some are done.

    Raises
    ------
    ImportError
        If soundfile is not installed (``pip install 'fastdis[audio]'``).
    ValueError
        If a clip leaves [-1, 1] and would be clipped.
    OSError
        If the disk is full or cannot be written; finished files stay.
    """
    _validation.choice("format", format, FORMATS)
    try:
        import soundfile
    except ImportError as error:
        raise ImportError("export needs soundfile: pip install 'fastdis[audio]'") from error
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    _files.remove_partial(folder)
    width = max(6, len(str(len(dataset) - 1)))
    names = [f"{i:0{width}d}.{format}" for i in range(len(dataset))]
    for start in range(0, len(dataset), CHUNK):
        stop = min(start + CHUNK, len(dataset))
        missing = [i for i in range(start, stop) if not (folder / names[i]).exists()]
        if missing:
            audio = dataset.audio(missing)
            if audio.size and np.abs(audio).max() > 1.0:
                raise ValueError(
                    f"clip {missing[int(np.abs(audio).max(axis=1).argmax())]} exceeds 1"
                )

            def write(
                a: int, b: int, missing: list[int] = missing, audio: NDArray[np.float32] = audio
            ) -> None:
                for k in range(a, b):
                    with _files.replacing(folder / names[missing[k]]) as partial:
                        soundfile.write(
                            partial, audio[k], dataset.sample_rate, "PCM_24", format=format.upper()
                        )

            _threads.parallel_for(write, len(missing), grain=16)
        if progress is not None:
            progress(stop - start)
    _write_labels(dataset, folder, names)
    return folder


def _write_labels(dataset: Dataset, folder: Path, names: list[str]) -> None:
    table = dataset.table()
    columns = {"file": names, **{k: v.tolist() for k, v in table.columns().items()}}
    with (
        _files.replacing(folder / "labels.csv") as partial,
        open(partial, "w", newline="", encoding="utf-8") as out,
    ):
        writer = csv.writer(out)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    table.to_parquet(folder / "labels.parquet")
