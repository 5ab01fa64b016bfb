"""The commands: each calls the package and prints the result."""

from __future__ import annotations

import argparse
import sys
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any


def run(options: argparse.Namespace) -> None:
    from fastdis import reports, studies

    path = Path(options.path or f"runs/{options.study}-{options.preset}")
    how = {"preset": options.preset, "seed": options.seed, "device": options.device, "say": _say}
    if options.images is not None:
        if options.study != "additive-toy":
            raise ValueError(f"--images goes with the study additive-toy, got {options.study}")
        how["images"] = options.images
    results = studies.module_of(options.study).run(path, **how)
    _print_scores(results)
    _say("writing the report")
    print(reports.write(results, path / "report.html"))


def _print_scores(results: Any, style: str = "text") -> None:
    """Print the answers of a study, or its table of scores."""
    from fastdis import reports

    if results.answers:
        print(reports.answers_text(results, style=style))
    else:
        print(reports.score_table(results, style=style))


def create(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from fastdis import datasets

    grid = (
        "sample_rate", "freq_start", "freq_end", "num_freqs", "amp_start", "amp_end", "num_amps",
    )  # fmt: skip
    dataset = datasets.SynTone(options.variant, **{key: getattr(options, key) for key in grid})
    path = Path(options.file_path)
    with tqdm(total=len(dataset), unit=" clips", mininterval=0.5) as bar:
        if options.format == "npz":
            datasets.save_npz(dataset, path, progress=bar.update)
        elif options.format == "shards":
            datasets.write_shards(
                dataset, path, rows_per_shard=options.rows_per_shard, progress=bar.update
            )
        else:
            datasets.export_audio(dataset, path, format=options.format, progress=bar.update)
    print(path)


def train(options: argparse.Namespace) -> None:
    from fastdis import datasets, training
    from fastdis.datasets import registry
    from fastdis.training import distributed
    from fastdis.training.many import train_all, train_seeds

    training.check_device(options.device)
    if options.dataset:
        dataset, protocol = registry.open_stored(options.dataset, options.protocol)
    else:
        protocol = options.protocol or "corrected"
        dataset = datasets.SynTone(protocol)
    rank, processes = distributed.rank_and_size()
    say = _say if rank == 0 else _say_nothing
    if rank:  # the first process warns of the same
        warnings.simplefilter("ignore")
    if processes == 1:  # several processes compute the features of their own clips only
        say(f"computing the features of {len(dataset):,} clips")
        dataset = dataset.in_memory()
    passed_on = (
        "epochs", "batch_size", "latent_dim", "model", "device", "learning_rate", "optimizer",
        "schedule", "warmup_steps", "patience", "compile", "memory_format", "dtype", "tune",
        "tensorboard",
    )  # fmt: skip
    how: dict[str, Any] = {key: getattr(options, key) for key in passed_on}
    how |= {"protocol": protocol, "say": say}
    path, names = Path(options.path), options.objective
    if options.seeds is None:
        train_all(dataset, path, names, seed=options.seed, **how)
    else:
        train_seeds(dataset, path, names, options.seeds, **how)
    if rank == 0:
        print(options.path)


def sweep(options: argparse.Namespace) -> None:
    from fastdis.reports import sweep as page
    from fastdis.reports.sweep.table import text_table
    from fastdis.studies import sweep

    path = Path(options.path or f"runs/{Path(options.file).stem}")
    results = sweep.run(
        options.file, path, engine=options.engine, scheduler=options.scheduler,
        device=options.device, say=_say,
    )  # fmt: skip
    print(text_table(results))
    _say("writing the report")
    print(page.write(results, path / "report.html"))
    if results.failed:
        raise FloatingPointError(f"{len(results.failed)} of {len(results.rows)} cells failed")


def eval(options: argparse.Namespace) -> None:
    from fastdis.cli import evaluating

    outputs = evaluating.Outputs(options.json, options.parquet, options.heat_map)
    shared: dict[str, Any] = {
        "seed": options.seed, "metrics": options.metrics, "bootstrap": options.bootstrap,
        "outputs": outputs,
    }  # fmt: skip
    if bool(options.model) == bool(options.codes or options.factors):
        raise ValueError("eval takes either --model, or --codes with --factors")
    of_models, of_files = ("dataset", "num_experiments"), (
        "bins", "binning", "discrete", "convention", "estimator", "active"
    )  # fmt: skip
    for name in of_files if options.model else of_models:
        if getattr(options, name) is not None:
            other = "--codes and --factors" if options.model else "--model"
            raise ValueError(f"--{name} goes with {other}")
    if options.model:
        runs = 10 if options.num_experiments is None else options.num_experiments
        texts = evaluating.models(options.model, dataset=options.dataset, runs=runs, **shared)
    else:
        if not (options.codes and options.factors):
            raise ValueError("--codes and --factors go together, got one of them")
        how = {name: getattr(options, name) for name in of_files}
        texts = evaluating.files(options.factors, options.codes, how=how, **shared)
    for text in texts:
        print(text)


def export(options: argparse.Namespace) -> None:
    from fastdis.training import exporting

    formats = exporting.FORMATS if options.format == "both" else (options.format,)
    written = exporting.export(options.path, options.to, formats, options.which)
    for file in written.values():
        print(file)


def report(options: argparse.Namespace) -> None:
    from fastdis import reports, studies

    results = studies.load(options.path)
    _print_scores(results, options.style)
    print(reports.write(results, Path(options.path) / "report.html"))


def bench(options: argparse.Namespace) -> None:
    from fastdis import _files
    from fastdis._bench import suite

    if options.json:  # checked before two minutes are spent
        _files.check_writable("--json", Path(options.json))
    report = suite.run("short", _say)
    print(report.markdown())
    if options.json:
        _files.write_json(options.json, report.plain())


def info(options: argparse.Namespace) -> None:
    import platform
    import textwrap

    import fastdis
    from fastdis._kernels import backends
    from fastdis.datasets import registry

    print(f"fastdis {fastdis.__version__}, Python {platform.python_version()}")
    for line in backends.in_lines():
        print(textwrap.fill(line, 88, subsequent_indent="    "))
    if options.audit:
        print()
        print(fastdis.datasets.audit(registry.open_stored(options.audit)[0]))


def _say_nothing(text: str) -> None:
    """In place of :func:`_say`, in all processes but the first."""


def _say(text: str) -> None:
    print(f"[{datetime.now():%H:%M:%S}] {text}", file=sys.stderr, flush=True)
