"""The options of every command, and options from a YAML file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastdis.cli import commands, names

Parser = argparse.ArgumentParser
DEVICE = "cpu, cuda, cuda:1, ..."
SEED = "fixes every random draw"
# "sound" is the former name of "corrected", and is taken without being shown.
PROTOCOLS: dict[str, Any] = {
    "choices": names.PROTOCOLS, "metavar": "{published,corrected}",
}  # fmt: skip


def command_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(prog="fastdis", description="Research on disentangled audio representations.")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(
        name: str, options: Callable[[Parser], None],
        command: Callable[[argparse.Namespace], None], text: str,
    ) -> None:  # fmt: skip
        sub = subparsers.add_parser(name, help=text, description=text, formatter_class=_Help)
        sub.set_defaults(command=command)
        sub.add_argument("--config", help="YAML file of these options; a flag overrides it")
        options(sub)

    add("run", _run, commands.run, "Run a whole study: data, training, scores, report.")
    add("create", _create, commands.create, "Make a SynTone data set and write it to disk.")
    add("train", _train, commands.train, "Train VAEs on a data set.")
    add(
        "sweep", _sweep, commands.sweep,
        "Train and score a grid of objectives, options, sizes and seeds.",
    )  # fmt: skip
    add("eval", _eval, commands.eval, "Score trained models, or files of factors and codes.")
    add("export", _export, commands.export, "Write a trained model for use elsewhere.")
    add("report", _report, commands.report, "Write a finished study's report page again.")
    add(
        "bench", _bench, commands.bench,
        "Time every kernel against its peers here; about two minutes.",
    )  # fmt: skip
    add("info", _info, commands.info, "Show which kernels run here, and why.")
    return parser


def _run(parser: Parser) -> None:
    parser.add_argument(
        "study", nargs="?", default="syntone", choices=names.STUDIES, help="the study"
    )
    parser.add_argument("--preset", default="quick", choices=("quick", "paper"), help="its size")
    parser.add_argument("--path", help="run folder [default: runs/STUDY-PRESET]")
    parser.add_argument("--seed", type=int, default=0, help=SEED)
    parser.add_argument("--device", default="cpu", help=DEVICE)
    parser.add_argument(
        "--images", metavar="FOLDER",
        help="of additive-toy: MNIST's IDX files [default: scikit-learn's digits]",
    )  # fmt: skip


def _create(parser: Parser) -> None:
    parser.add_argument("--variant", default="published", **PROTOCOLS, help="of the data set")
    parser.add_argument("--sample_rate", type=int, default=16000, help="in Hz")
    parser.add_argument("--freq_start", type=float, default=440.0, help="in Hz")
    parser.add_argument("--freq_end", type=float, help="in Hz [default: the variant's]")
    parser.add_argument("--num_freqs", type=int, default=400, help="levels of frequency")
    parser.add_argument("--amp_start", type=float, default=0.1, help="0 to 1")
    parser.add_argument("--amp_end", type=float, help="[default: the variant's]")
    parser.add_argument("--num_amps", type=int, default=20, help="levels of amplitude")
    parser.add_argument(
        "--file_path", default="syntone.npz", help="file, or folder of shards or audio"
    )
    parser.add_argument(
        "--format", default="npz", choices=("npz", "shards", "wav", "flac"),
        help="train takes npz and shards; wav and flac are for other tools",
    )  # fmt: skip
    parser.add_argument("--rows_per_shard", type=int, default=4096, help="of --format shards")


def _train(parser: Parser) -> None:
    parser.add_argument("--dataset", help="an .npz file or a folder of shards [default: a SynTone]")
    parser.add_argument("--path", default="runs/train", help="folder of the models' run folders")
    parser.add_argument(
        "--protocol", **PROTOCOLS,
        help="[default: the shards' own, published for an .npz file, corrected without --dataset]",
    )  # fmt: skip
    parser.add_argument(
        "--objective", nargs="+", default=list(names.SYNTONE_OBJECTIVES), choices=names.OBJECTIVES,
        help="one or more",
    )  # fmt: skip
    parser.add_argument(
        "--model", default="conv3", choices=names.MODELS,
        help="conv3 and conv4 are SynTone's; docs/training.md describes all",
    )  # fmt: skip
    parser.add_argument("--latent_dim", type=int, default=8, help="size of the code")
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=int, default=0, help=SEED)
    seeds.add_argument(
        "--seeds", type=int, nargs="+", metavar="SEED",
        help="train one model per seed, at once, in run folders such as PATH/vae/seed=0",
    )  # fmt: skip
    _optimisation(parser)
    _execution(parser)
    parser.add_argument("--tensorboard", action="store_true", help="also write its events")


def _optimisation(parser: Parser) -> None:
    parser.add_argument(
        "--epochs", type=int, default=20,
        help="passes over the training clips (FactorVAE takes twice as many)",
    )  # fmt: skip
    parser.add_argument(
        "--batch_size", type=int, default=64,
        help="clips per step (FactorVAE takes twice as many and splits them)",
    )  # fmt: skip
    parser.add_argument("--learning_rate", type=float, default=1e-3, help="of the model")
    parser.add_argument(
        "--optimizer", default="adam", choices=("adam", "adamw"), help="of the model"
    )
    parser.add_argument(
        "--schedule", default="constant", choices=("constant", "cosine"),
        help="of the learning rate",
    )  # fmt: skip
    parser.add_argument(
        "--warmup_steps", type=int, default=0, help="steps over which the learning rate rises"
    )
    parser.add_argument(
        "--patience", type=int, help="epochs without progress before stopping early"
    )


def _execution(parser: Parser) -> None:
    parser.add_argument("--device", default="cpu", help=DEVICE)
    parser.add_argument(
        "--dtype", default="float32", choices=names.DTYPES,
        help="of the arithmetic; tf32 on CUDA only",
    )  # fmt: skip
    parser.add_argument(
        "--memory_format", default="channels_last", choices=names.MEMORY_FORMATS,
        help="of weights and features",
    )  # fmt: skip
    parser.add_argument(
        "--compile", default="never", choices=names.COMPILE,
        help="torch.compile; measure: where it is faster",
    )  # fmt: skip
    parser.add_argument(
        "--tune", default="never", choices=names.TUNE,
        help="measure: time dtypes, memory formats, torch.compile and engines, keep the fastest",
    )  # fmt: skip


def _sweep(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="YAML: pydoc fastdis.studies.sweep shows one")
    parser.add_argument("--path", help="folder of the sweep [default: runs/ and the file's name]")
    parser.add_argument("--device", default="cpu", help=f"{DEVICE}; each worker's")
    parser.add_argument(
        "--engine", default="process", choices=("process", "dask"),
        help="several models at once in this process, or one task per model on a Dask cluster",
    )  # fmt: skip
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of --engine dask [default: DASK_SCHEDULER_ADDRESS]"
    )


def _eval(parser: Parser) -> None:
    models = parser.add_argument_group("models", "by both protocols and by the panel of metrics")
    models.add_argument("--model", nargs="+", help="run folders of models")
    models.add_argument("--num_experiments", type=int, help="runs of a protocol [default: 10]")
    models.add_argument("--dataset", help="score on this set [default: the one trained on]")
    files = parser.add_argument_group("files", "by the panel only, without a model")
    files.add_argument("--codes", help="a .npy, .npz or .parquet file of N rows, one column a code")
    files.add_argument("--factors", help="such a file of N rows, one column a factor")
    files.add_argument("--bins", type=int, help="of a code [default: the convention's]")
    files.add_argument(
        "--binning", choices=("equal_width", "quantile"), help="[default: equal_width]"
    )
    files.add_argument(
        "--discrete", choices=("yes", "no"),
        help="whether factors keep their levels [default: by the type of each column]",
    )  # fmt: skip
    files.add_argument(
        "--convention", choices=names.CONVENTIONS,
        help="how metrics are computed [default: standard]",
    )  # fmt: skip
    files.add_argument("--estimator", choices=names.ESTIMATORS, help="[default: plugin]")
    files.add_argument(
        "--active", choices=("informative",), help="codes that are scored [default: all]"
    )
    panel = parser.add_argument_group("the panel")
    panel.add_argument("--metrics", nargs="+", metavar="NAME", help="metrics or groups of them")
    panel.add_argument(
        "--bootstrap", type=int, default=0, metavar="N", help="resamples for confidence intervals"
    )
    panel.add_argument("--seed", type=int, default=0, help=SEED)
    several = "; of several models one file each: FILE-MODEL"
    panel.add_argument("--json", metavar="FILE", help=f"also write the scores{several}")
    panel.add_argument("--parquet", metavar="FILE", help="the same as a table")
    panel.add_argument(
        "--heat_map", metavar="FILE", help="draw the mutual information (.png, .svg or .pdf)"
    )


def _export(parser: Parser) -> None:
    parser.add_argument("--path", required=True, help="the run folder of the model")
    parser.add_argument(
        "--format", default="both", choices=("safetensors", "torch_export", "both"),
        help="weights and their description, graphs that need torch alone, or both",
    )  # fmt: skip
    parser.add_argument("--to", metavar="FOLDER", help="where to write [default: PATH/export]")
    parser.add_argument(
        "--which", default="last", choices=("best", "last"), help="of the run's weights"
    )


def _report(parser: Parser) -> None:
    parser.add_argument("--path", required=True, help="the run folder")
    parser.add_argument(
        "--style", default="text", choices=("text", "markdown"), help="of the table"
    )


def _bench(parser: Parser) -> None:
    parser.add_argument("--json", metavar="FILE", help="also write the figures to a file")


def _info(parser: Parser) -> None:
    parser.add_argument("--audit", metavar="DATASET", help="also audit an .npz file or shards")


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows every default, also of options without a help text."""

    def _get_help_string(self, action: argparse.Action) -> str:
        if action.default is None or action.default is False or action.default == argparse.SUPPRESS:
            return action.help or ""
        return f"{action.help or ''} [default: %(default)s]".lstrip()

    def _expand_help(self, action: argparse.Action) -> str:
        return super()._expand_help(action).replace("['", "").replace("', '", " ").replace("']", "")


def parse_with_config(parser: Parser, arguments: list[str]) -> argparse.Namespace:
    """Parse the options of a YAML file first, then the flags, which override them."""
    finder = Parser(add_help=False)
    finder.add_argument("--config")
    found, _ = finder.parse_known_args(arguments)
    if found.config is None or not arguments or arguments[0].startswith("-"):
        return parser.parse_args(arguments)
    flags = _flags_of(found.config)
    # Parsed like flags, before the real ones: unknown names and wrong types get the same errors.
    return parser.parse_args([arguments[0], *flags, *arguments[1:]])


def _flags_of(file: str) -> list[str]:
    """The options of a YAML file as flags."""
    import yaml

    from fastdis import _files

    with _files.reading(file, "a YAML file of options", (yaml.YAMLError,)):
        options: Any = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
    if not isinstance(options, dict):
        raise ValueError(f"{file} takes a mapping of options, got {type(options).__name__}")
    flags: list[str] = []
    for key, value in options.items():
        if value is True:
            flags.append(f"--{key}")
        elif value is not None and value is not False:
            values = value if isinstance(value, list) else [value]
            flags += [f"--{key}", *map(str, values)]
    return flags


def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning without the line of code that it came from."""
    print(f"fastdis: {message}", file=sys.stderr)
