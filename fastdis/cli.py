"""The command line: parse, call, print. Heavy imports wait until a command runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

OBJECTIVES = ("vae", "beta_vae", "factor_vae", "beta_tcvae")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (2 for a user's mistake, 130 after Ctrl-C)."""
    parser = _parser()
    try:
        options = _with_config(parser, list(sys.argv[1:] if arguments is None else arguments))
        command: Callable[[argparse.Namespace], None] = options.command
        command(options)
    except KeyboardInterrupt:
        print("\nstopped; what was finished is kept", file=sys.stderr)
        return 130
    except MemoryError as error:
        print(f"fastdis: not enough memory: {error}", file=sys.stderr)
        return 1
    except (ValueError, TypeError, OSError, ImportError, IndexError, RuntimeError) as error:
        print(f"fastdis: {error}", file=sys.stderr)
        return 2
    except FloatingPointError as error:
        print(f"fastdis: {error}", file=sys.stderr)
        return 1
    return 0


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows every default there is, with a word of help or without."""

    def _get_help_string(self, action: argparse.Action) -> str:
        if action.default is None or action.default is False or action.default == argparse.SUPPRESS:
            return action.help or ""
        return f"{action.help or ''} [default: %(default)s]".lstrip()

    def _expand_help(self, action: argparse.Action) -> str:
        return super()._expand_help(action).replace("['", "").replace("', '", " ").replace("']", "")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastdis", description="Research on disentangled audio representations."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[Any], None], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=text, description=text,
            formatter_class=_Help,
        )  # fmt: skip
        sub.set_defaults(command=command)
        sub.add_argument("--config", help="YAML file of these options; a flag overrides it")
        return sub

    run = add("run", _run, "Run a whole study: data, training, scores, report.")
    run.add_argument("--preset", default="quick", choices=("quick", "paper"), help="its size")
    run.add_argument("--path", help="run folder [default: runs/syntone-PRESET]")
    run.add_argument("--seed", type=int, default=0, help="fixes every draw")
    run.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")

    create = add("create", _create, "Make a SynTone and write it to disk.")
    _add_grid(create)
    create.add_argument(
        "--file_path", default="syntone.npz", help="file, or folder of shards or audio"
    )
    create.add_argument(
        "--format", default="npz", choices=("npz", "shards", "wav", "flac"),
        help="train takes npz and shards; wav and flac are for other tools",
    )  # fmt: skip
    create.add_argument("--rows_per_shard", type=int, default=4096, help="of --format shards")

    train = add("train", _train, "Train VAEs on a data set.")
    train.add_argument("--dataset", help="an .npz file or a folder of shards [default: a SynTone]")
    train.add_argument("--path", default="runs/train", help="run folder, one folder a model inside")
    train.add_argument(
        "--objective", nargs="+", default=list(OBJECTIVES), choices=OBJECTIVES, help="one or more"
    )
    train.add_argument(
        "--protocol",
        choices=("published", "sound"),
        help="[default: the shards' own, published for an .npz file, sound without --dataset]",
    )
    train.add_argument(
        "--model", default="conv3", choices=("conv3", "conv4"),
        help="three convolutions, as the reference, or four, as the paper",
    )  # fmt: skip
    train.add_argument(
        "--epochs",
        type=int,
        default=20,
        help="passes over the training clips (FactorVAE takes twice as many)",
    )
    train.add_argument(
        "--batch_size",
        type=int,
        default=64,
        help="clips a step (FactorVAE takes twice as many and splits them)",
    )
    train.add_argument("--latent_dim", type=int, default=8, help="size of the code")
    train.add_argument("--learning_rate", type=float, default=1e-3, help="of the model")
    train.add_argument(
        "--optimizer", default="adam", choices=("adam", "adamw"), help="of the model"
    )
    train.add_argument("--patience", type=int, help="epochs without progress before stopping early")
    train.add_argument("--seed", type=int, default=0, help="fixes every draw")
    train.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    train.add_argument("--tensorboard", action="store_true", help="write its events, too")

    evaluate = add("eval", _eval, "Score trained models by both protocols.")
    evaluate.add_argument("--model", nargs="+", required=True, help="run folders of models")
    evaluate.add_argument("--num_experiments", type=int, default=10, help="evaluation runs")
    evaluate.add_argument("--dataset", help="score on this set [default: the one trained on]")
    evaluate.add_argument("--seed", type=int, default=0, help="fixes every draw")

    report = add("report", _report, "Write a finished study's report page again.")
    report.add_argument("--path", required=True, help="the run folder")
    report.add_argument(
        "--style", default="text", choices=("text", "markdown"), help="of the table"
    )

    bench = add("bench", _bench, "Time every kernel against its peers here; under two minutes.")
    bench.add_argument("--json", metavar="FILE", help="also write the figures to a file")

    info = add("info", _info, "What runs on what here.")
    info.add_argument("--audit", metavar="DATASET", help="also audit an .npz file or shards")
    return parser


def _add_grid(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--variant", default="published", choices=("published", "sound"), help="of the data set"
    )
    parser.add_argument("--sample_rate", type=int, default=16000, help="in Hz")
    parser.add_argument("--freq_start", type=float, default=440.0, help="in Hz")
    parser.add_argument("--freq_end", type=float, help="in Hz [default: the variant's]")
    parser.add_argument("--num_freqs", type=int, default=400, help="levels of frequency")
    parser.add_argument("--amp_start", type=float, default=0.1, help="0 to 1")
    parser.add_argument("--amp_end", type=float, help="[default: the variant's]")
    parser.add_argument("--num_amps", type=int, default=20, help="levels of amplitude")


def _with_config(parser: argparse.ArgumentParser, arguments: list[str]) -> argparse.Namespace:
    """Options of a YAML file first, then the flags, which override them."""
    finder = argparse.ArgumentParser(add_help=False)
    finder.add_argument("--config")
    found, _ = finder.parse_known_args(arguments)
    if found.config is None or not arguments or arguments[0].startswith("-"):
        return parser.parse_args(arguments)
    import yaml

    from fastdis import _files

    with _files.reading(found.config, "a YAML file of options", (yaml.YAMLError,)):
        told = yaml.safe_load(Path(found.config).read_text(encoding="utf-8")) or {}
    if not isinstance(told, dict):
        raise ValueError(f"{found.config} takes a mapping of options, got {type(told).__name__}")
    flags: list[str] = []
    for key, value in told.items():
        if value is True:
            flags.append(f"--{key}")
        elif value is not None and value is not False:
            values = value if isinstance(value, list) else [value]
            flags += [f"--{key}", *map(str, values)]
    # Parsed like flags, before the real ones: unknown names and wrong types get the same errors.
    return parser.parse_args([arguments[0], *flags, *arguments[1:]])


def _run(options: argparse.Namespace) -> None:
    from fastdis import reports
    from fastdis.studies import syntone

    path = Path(options.path or f"runs/syntone-{options.preset}")
    results = syntone.run(
        path, preset=options.preset, seed=options.seed, device=options.device, say=_say
    )
    print(reports.score_table(results))
    _say("writing the report")
    print(reports.write(results, path / "report.html"))


def _create(options: argparse.Namespace) -> None:
    from tqdm import tqdm

    from fastdis import datasets

    grid = (
        "sample_rate",
        "freq_start",
        "freq_end",
        "num_freqs",
        "amp_start",
        "amp_end",
        "num_amps",
    )
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


def _open(path: str, protocol: str | None = None) -> tuple[Any, str]:
    """A set on disk with the features of a protocol, by default its own; and that protocol."""
    from fastdis import datasets

    if not Path(path).is_dir():
        protocol = protocol or "published"
        return datasets.load_npz(path, variant=protocol), protocol
    if (Path(path) / "dataset.json").exists():
        raise ValueError(f"{path} holds sound for other tools; this takes an .npz file or shards")
    shards = datasets.open_shards(path)
    own = str(shards.source.options()["variant"])
    if protocol not in (None, own):
        raise ValueError(f"{path} holds {own!r} features, the protocol is {protocol!r}")
    return shards, own


def _train(options: argparse.Namespace) -> None:
    from fastdis import datasets, training
    from fastdis.studies import train_all

    training.check_device(options.device)
    if options.dataset:
        dataset, protocol = _open(options.dataset, options.protocol)
    else:
        protocol = options.protocol or "sound"
        dataset = datasets.SynTone(protocol)
    _say(f"computing the features of {len(dataset):,} clips")
    train_all(
        dataset.in_memory(), Path(options.path), options.objective, protocol=protocol,
        epochs=options.epochs, batch_size=options.batch_size, latent_dim=options.latent_dim,
        seed=options.seed, model=options.model, device=options.device, say=_say,
        learning_rate=options.learning_rate, optimizer=options.optimizer,
        patience=options.patience, tensorboard=options.tensorboard,
    )  # fmt: skip
    print(options.path)


def _eval(options: argparse.Namespace) -> None:
    from fastdis import datasets, training
    from fastdis.studies import score

    sets: dict[str, Any] = {}  # each opened once, as models mostly share one
    for path in options.model:
        result = training.load(path)
        told = training.dataset_options(path)
        key = f"{options.dataset} {result.objective.protocol}" if options.dataset else str(told)
        if key not in sets:
            if options.dataset:
                source, _ = _open(options.dataset, result.objective.protocol)
            else:
                source = datasets.build(told)
            sets[key] = source.in_memory()
        dataset = sets[key]
        scores = score(
            result.model, dataset, Path(path), options.num_experiments, options.seed,
            file_name="eval.json",
        )  # fmt: skip
        _print_scores(path, scores)


def _print_scores(path: str, scores: dict[str, Any]) -> None:
    print(f"\n{path}\n{'':<22}{'as published':>18}{'sound':>18}")
    for name in {**scores["standard"], **scores["published"]}:
        cells = [scores[convention].get(name) for convention in ("published", "standard")]
        texts = [f"{c[0]:.3f} ± {c[1]:.3f}" if c else "–" for c in cells]
        print(f"{name:<22}{texts[0]:>18}{texts[1]:>18}")


def _report(options: argparse.Namespace) -> None:
    from fastdis import reports
    from fastdis.studies import syntone

    results = syntone.load(options.path)
    print(reports.score_table(results, style=options.style))
    print(reports.write(results, Path(options.path) / "report.html"))


def _bench(options: argparse.Namespace) -> None:
    from fastdis import _files
    from fastdis._bench import suite

    if options.json:  # a mistake is said before two minutes are spent, not after
        _check_writable(Path(options.json))
    report = suite.run("short", _say)
    print(report.markdown())
    if options.json:
        _files.write_json(options.json, report.plain())


def _check_writable(file: Path) -> None:
    """Raise an OSError if ``file`` cannot be written, and leave one that is there as it is."""
    import tempfile

    if file.is_dir():
        raise IsADirectoryError(f"--json takes a file, got the folder {file}")
    file.parent.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=file.parent).close()


def _info(options: argparse.Namespace) -> None:
    import platform
    import textwrap

    import fastdis
    from fastdis import _backends

    print(f"fastdis {fastdis.__version__}, Python {platform.python_version()}")
    for line in _backends.in_lines():
        print(textwrap.fill(line, 88, subsequent_indent="    "))
    if options.audit:
        print()
        print(fastdis.datasets.audit(_open(options.audit)[0]))


def _say(text: str) -> None:
    print(f"[{datetime.now():%H:%M:%S}] {text}", file=sys.stderr, flush=True)
