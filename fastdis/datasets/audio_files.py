"""Export to a folder of WAV or FLAC files with a table of labels."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastdis import _files, _threads, _validation
from fastdis.datasets.base import CHUNK, Dataset

FORMATS = ("wav", "flac")
DATASET = "dataset.json"


def export_audio(
    dataset: Dataset,
    path: str | Path,
    *,
    format: str = "wav",
    progress: Callable[[int], object] | None = None,
) -> Path:
    """Write every clip as a 24-bit file, with ``labels.csv`` and ``labels.parquet`` beside them.

    Existing files are kept, so a killed run resumes where it stopped.

    Parameters
    ----------
    dataset
        Any data set of this package.
    path
        The folder.
    format
        ``"wav"`` or ``"flac"``.
    progress
        Called with the number of clips of each finished chunk.

    Raises
    ------
    ImportError
        If soundfile is not installed (the extra ``audio``).
    ValueError
        If a clip leaves [-1, 1] and would be clipped, or the folder holds another set's sound.
    OSError
        If the disk is full or cannot be written; finished files stay.
    """
    _validation.choice("format", format, FORMATS)
    try:
        import soundfile  # noqa: F401
    except ImportError as error:
        raise ImportError("export needs soundfile: pip install soundfile") from error
    folder = Path(path)
    width = max(6, len(str(len(dataset) - 1)))
    names = [f"{i:0{width}d}.{format}" for i in range(len(dataset))]
    with _files.only_writer(folder):
        _claim(dataset, folder)
        _files.remove_partial(folder)
        for start in range(0, len(dataset), CHUNK):
            stop = min(start + CHUNK, len(dataset))
            missing = [i for i in range(start, stop) if not (folder / names[i]).exists()]
            if missing:
                files = [folder / names[i] for i in missing]
                _write_audio(dataset.audio(missing), files, dataset.sample_rate, format)
            if progress is not None:
                progress(stop - start)
        _write_labels(dataset, folder, names)
    return folder


def _claim(dataset: Dataset, folder: Path) -> None:
    """Write the data set's options to the folder first, or refuse the folder of another set."""
    options = json.loads(json.dumps(dataset.options()))
    file = folder / DATASET
    if file.exists():
        if _files.read_json(file, "a data set's options") != options:
            raise ValueError(f"path {folder} holds the sound of another data set")
    else:
        _files.write_json(file, options)


def _write_audio(
    audio: NDArray[np.float32], files: list[Path], sample_rate: int, format: str
) -> None:
    import soundfile

    peak = np.abs(audio).max(axis=1)
    if peak.max() > 1.0:
        raise ValueError(f"{files[int(peak.argmax())].name} would be clipped at {peak.max():g}")

    def write(start: int, stop: int) -> None:
        for clip, file in zip(audio[start:stop], files[start:stop], strict=True):
            with _files.replacing(file) as partial:
                try:
                    soundfile.write(partial, clip, sample_rate, "PCM_24", format=format.upper())
                except soundfile.LibsndfileError as error:
                    raise OSError(f"cannot write {file}: {error}") from error

    _threads.parallel_for(write, len(files), grain=16)


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
    table.to_parquet(folder / "labels.parquet", extra={"file": names})
