"""SynTone (Brima, Krumnack, Pika and Heidemann 2024): four VAEs, two protocols, their scores.

``"published"`` repeats the reference code: its grid, column-normalised features, loss scaling and
other differences from the paper. ``"corrected"`` has features that keep all factors, and each
objective as in its own paper; its folder is called ``sound``, the former name of the protocol.
Every model is scored by both protocols, which separates the effect of the scoring from that of
the training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from fastdis import _files, _validation, datasets, objectives
from fastdis.reports import Results
from fastdis.studies.recipe import STUDY, audited, finish, preset_of, repeat, score, shown, start
from fastdis.studies.syntone.paper import EXPLANATION, TABLE_1
from fastdis.training.many import train_all

OBJECTIVES = ("vae", "beta_vae", "factor_vae", "beta_tcvae")
PROTOCOLS = ("published", "sound")


@dataclass(frozen=True)
class Preset:
    """The size of a run."""

    num_freqs: int
    num_amps: int
    epochs: int
    runs: int
    batch_size: int = 64
    latent_dim: int = 8


PRESETS = {
    "quick": Preset(num_freqs=30, num_amps=8, epochs=16, runs=3, batch_size=16),
    "paper": Preset(num_freqs=400, num_amps=20, epochs=20, runs=10),
}


def run(
    path: str | Path, *, preset: str | Preset = "quick", seed: int = 0, device: str = "cpu",
    progress: bool = True, say: Callable[[str], None] = print,
) -> Results:  # fmt: skip
    """Make the data, train, score, and return the results; a later call resumes a stopped run.

    Parameters
    ----------
    path
        The run folder, with one folder per protocol and model.
    preset
        ``"quick"``, ``"paper"`` (32,000 clips, 20 epochs, 10 evaluation runs), or a
        :class:`Preset`.
    seed, device, progress
        As in :class:`fastdis.TrainConfig`.
    say
        Called with one line of text at each step.

    Raises
    ------
    ValueError
        If the folder holds a run of other options.
    """
    folder = Path(path)
    size = preset_of(preset, PRESETS)
    start(folder, {"study": "syntone", "preset": asdict(size), "seed": seed}, device)
    for protocol in PROTOCOLS:
        dataset = make_dataset(protocol, size)
        say(f"{_validation.protocol_title(protocol)}: {len(dataset):,} clips")
        audited(folder / protocol / "audit.json", dataset, seed)
        trained = train_all(
            dataset, folder / protocol, OBJECTIVES, protocol=protocol, epochs=size.epochs,
            batch_size=size.batch_size, latent_dim=size.latent_dim, seed=seed, device=device,
            progress=progress, say=say,
        )  # fmt: skip
        for name, result in trained.items():
            say(f"{_validation.protocol_title(protocol)}: scoring {name}")
            score(result.model, dataset, folder / protocol / name, size.runs, seed)
    results = load(folder)
    finish(folder, results, device)
    return results


def make_dataset(protocol: str, size: Preset) -> datasets.InMemory:
    """The protocol's SynTone at a preset's size, its features kept in memory."""
    return datasets.SynTone(
        protocol, num_freqs=size.num_freqs, num_amps=size.num_amps
    ).in_memory()  # fmt: skip


def load(path: str | Path) -> Results:
    """What a report shows, from a finished run's folder.

    Raises
    ------
    FileNotFoundError
        If the folder holds no finished run.
    """
    folder = Path(path)
    with _files.reading(folder / STUDY, "a study", (KeyError, TypeError)):
        options = _files.read_json(folder / STUDY, "a study")
        size, seed = Preset(**options["preset"]), int(options["seed"])
    found, audits = [], {}
    for protocol in PROTOCOLS:
        dataset = make_dataset(protocol, size)
        audits[protocol] = audited(folder / protocol / "audit.json")
        for name in OBJECTIVES:
            place = folder / protocol / name
            found.append(shown(name, objectives.TITLES[name], protocol, place, dataset))
    return Results(
        title="SynTone: learning disentangled audio representations",
        summary=_summary(size, audits),
        settings=_settings(size, seed),
        models=found,
        audits=audits,
        reference_table={objectives.TITLES[name]: dict(row) for name, row in TABLE_1.items()},
        reference_name="SynTone, Table 1",
        explanation=EXPLANATION,
        repeat=[repeat("syntone", size, PRESETS, seed)],
        seed=seed,
    )


def _summary(size: Preset, audits: dict[str, datasets.Audit]) -> list[str]:
    clips = size.num_freqs * size.num_amps * 4
    lost = [factor.name for factor in audits["published"].factors if not factor.passes]
    erased = f"the published features erase {' and '.join(lost)}" if lost else "no factor is lost"
    return [
        f"Four variational auto-encoders on SynTone ({clips:,} clips: {size.num_freqs} frequencies "
        f"x {size.num_amps} amplitudes x 4 waveforms), {size.epochs} epochs, "
        f"{size.runs} evaluation runs, twice: by the published protocol to the letter, and by "
        "the corrected one. Every model is scored by both.",
        f"What to look at first: the audit below finds that {erased}, so a published score says "
        "little about that factor; and the score table shows how much of a score is the scoring.",
    ]


def _settings(size: Preset, seed: int) -> dict[str, str]:
    return {
        "grid": f"{size.num_freqs} frequencies x {size.num_amps} amplitudes x 4 waveforms",
        "epochs": f"{size.epochs} (FactorVAE {2 * size.epochs})",
        "batch": f"{size.batch_size} (FactorVAE {2 * size.batch_size}, split in two)",
        "code size": str(size.latent_dim),
        "optimizer": "Adam, learning rate 0.001",
        "held out": "20% of the clips, for the loss curves",
        "evaluation runs": str(size.runs),
        "seed": str(seed),
    }
