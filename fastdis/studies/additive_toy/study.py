"""The additive toy data set (Bedoya et al.): six factors, four representations, five networks.

The report's authors trained beta-VAEs, from an MLP to an attention RNN, on sums of partials; they
left the noise out, labelled no clip, and judged codes by eye. Here the same networks learn the
same sounds, labelled and with noise, and each of the report's questions has a table of numbers.
The data are ``datasets.AdditiveToy``; ``grid`` says which models are trained, ``measure`` what is
measured, ``answers`` what the tables hold. Conclusions are in ``docs/additive_toy.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from fastdis import _files, datasets, training
from fastdis.reports import ModelResult, Results
from fastdis.studies.additive_toy import answers, grid, measure
from fastdis.studies.additive_toy.tables import all_cells
from fastdis.studies.recipe import STUDY, audited, finish, preset_of, repeat, score, shown, start

AUDITED = ("waveform", "spectrogram", "mel", "cqt")
# Shown whole, heard and seen: the report's networks on clean sounds, and on the hardest.
SHOWN = [
    *(grid.Group(system, condition)
      for condition in (grid.CLEAN, grid.ALL)
      for system in ("mlp-spectrogram", "cnn-cqt", "rnn-cqt", "conv1d-waveform")),
    grid.Group("cnn-images", grid.IMAGES),
]  # fmt: skip


def run(
    path: str | Path, *, preset: str | grid.Preset = "quick", seed: int = 0, device: str = "cpu",
    images: str | Path | None = None, say: Callable[[str], None] = print,
) -> Results:  # fmt: skip
    """Make the data, train and measure the grid; a later call resumes a run that was stopped.

    Parameters
    ----------
    path
        The run folder.
    preset
        ``"quick"`` (2,000 clips a condition), ``"paper"`` (20,000), or a :class:`Preset`.
    seed, device
        As in :class:`fastdis.TrainConfig`.
    images
        A folder of MNIST's IDX files for the check on images; scikit-learn's digits by default.
    say
        Called with one line of text at each step.

    Returns
    -------
    Results
        What a report shows.

    Raises
    ------
    FileNotFoundError
        If ``images`` is no folder with MNIST's files.
    RuntimeError
        If the device is not available.
    TypeError, ValueError
        If ``preset`` or ``seed`` is out of its range, the images are damaged, or the folder holds
        a run of other options.
    """
    folder = Path(path)
    size = preset_of(preset, grid.PRESETS)
    images = None if images is None else str(images)
    if images is not None:
        datasets.MNIST(images)  # fails before the work, not after, if it is missing or damaged
    start(
        folder, {"study": "additive-toy", "preset": asdict(size), "seed": seed, "images": images},
        device,
    )  # fmt: skip
    for (representation, condition), members in _by_dataset().items():
        say(f"{condition}: {representation}")
        dataset = grid.make_dataset(representation, condition, size.clips, seed, images)
        data = measure.prepared(dataset)
        if condition == grid.ALL:
            audited(_audit_file(folder, representation), dataset, seed)
        for together in _trained_together(members):
            say(f"{condition}: training {', '.join(group.of.title for group in together)}")
            measure.make(
                together, data, folder, epochs=size.epochs, batch_size=size.batch_size, seed=seed,
                device=device, keep=together[0] in SHOWN,
            )  # fmt: skip
        for group in members:
            if group in SHOWN:
                say(f"{condition}: scoring {group.of.title}")
                place = measure.run_folder(folder, group, grid.SHOWN_BETA, seed)
                score(training.load(place).model, data.dataset, place, 0, seed, bootstrap=0)
    results = load(folder)
    finish(folder, results, device)
    return results


def _by_dataset() -> dict[tuple[str, str], list[grid.Group]]:
    made: dict[tuple[str, str], list[grid.Group]] = {}
    for group in grid.groups():
        made.setdefault((group.of.representation, group.condition), []).append(group)
    return made


def _trained_together(members: list[grid.Group]) -> list[list[grid.Group]]:
    """Groups that one ``train_many`` can train: of one code size, all with weights kept or none."""
    made: dict[tuple[int, bool], list[grid.Group]] = {}
    for group in members:
        made.setdefault((group.latent_dim, group in SHOWN), []).append(group)
    return list(made.values())


def load(path: str | Path) -> Results:
    """What a report shows, from a finished run's folder.

    Raises
    ------
    FileNotFoundError
        If the folder holds no finished run.
    ValueError
        If a file of it is damaged.
    """
    folder = Path(path)
    with _files.reading(folder / STUDY, "a study", (KeyError, TypeError)):
        asked = _files.read_json(folder / STUDY, "a study")
        size, seed, images = grid.Preset(**asked["preset"]), int(asked["seed"]), asked["images"]
    rows = [row for group in grid.groups() for row in measure.read(folder, group)]
    audits = {name: audited(_audit_file(folder, name)) for name in AUDITED}
    return Results(
        title="The additive toy data set: six factors, four representations, five networks",
        summary=[
            f"{len(rows)} beta-VAEs, each of {size.clips:,} clips that are sums of partials (some "
            f"on images) for {size.epochs} epochs. The clips are labelled, so that each question "
            "of the report has a table of numbers."
        ],
        settings=grid.settings(size, seed, images),
        models=[_shown(folder, group, size, seed, images) for group in SHOWN],
        audits=audits,
        reference_table={}, reference_name="", explanation=[],
        repeat=[repeat("additive-toy", size, grid.PRESETS, seed, images=images)],
        seed=seed,
        answers=answers.answers(rows, audits),
        answers_title="What the report asked",
        maps=True,
        cells=all_cells(rows),
    )  # fmt: skip


def _audit_file(folder: Path, representation: str) -> Path:
    return folder / "audits" / f"{representation}.json"


def _shown(
    folder: Path, group: grid.Group, size: grid.Preset, seed: int, images: str | None
) -> ModelResult:  # fmt: skip
    dataset = grid.make_dataset(group.of.representation, group.condition, size.clips, seed, images)
    beta = f"β = {grid.SHOWN_BETA:g}".replace(" ", "\N{NO-BREAK SPACE}")
    return shown(
        group.system, f"{group.of.title}, {beta}", group.condition,
        measure.run_folder(folder, group, grid.SHOWN_BETA, seed), measure.standardised(dataset)[0],
    )  # fmt: skip
