"""The command line: which commands and options there are, and options from a YAML file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastdis.cli import commands

STUDIES = ("syntone", "additive-toy")
STUDIED = ("vae", "beta_vae", "factor_vae", "beta_tcvae")
MODELS = ("conv3", "conv4", "mlp", "cnn", "conv1d", "conv1d_dilated", "attention_rnn")
OBJECTIVES = (*STUDIED, "annealed_vae", "dip_vae_i", "dip_vae_ii", "info_vae", "ada_gvae")
ESTIMATORS = ("plugin", "miller_madow", "kraskov")
CONVENTIONS = ("standard", "disentanglement_lib", "ubisoft", "published")
# "sound" is the former name of "corrected", and is taken without being shown.
PROTOCOLS: dict[str, Any] = {
    "choices": ("published", "corrected", "sound"), "metavar": "{published,corrected}",
}  # fmt: skip
COMPILE = ("never", "always", "measure")


MEMORY_FORMATS = ("contiguous", "channels_last", "measure")
DTYPES = ("float32", "float64", "bfloat16", "tf32", "measure")


def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning without the line of code that it came from."""
    print(f"fastdis: {message}", file=sys.stderr)


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows every default there is, with a word of help or without."""

    def _get_help_string(self, action: argparse.Action) -> str:
        if action.default is None or action.default is False or action.default == argparse.SUPPRESS:
            return action.help or ""
        return f"{action.help or ''} [default: %(default)s]".lstrip()

    def _expand_help(self, action: argparse.Action) -> str:
        return super()._expand_help(action).replace("['", "").replace("', '", " ").replace("']", "")


def command_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastdis", description="Research on disentangled audio representations."
    )
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[Any], None], text: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(
            name, help=text, description=text,
            formatter_class=_Help,
        )  # fmt: skip
        sub.set_defaults(command=command)
        sub.add_argument("--config", help="YAML file of these options; a flag overrides it")
        return sub

    run = add("run", commands.run, "Run a whole study: data, training, scores, report.")
    run.add_argument("study", nargs="?", default="syntone", choices=STUDIES, help="which one")
    run.add_argument("--preset", default="quick", choices=("quick", "paper"), help="its size")
    run.add_argument("--path", help="run folder [default: runs/STUDY-PRESET]")
    run.add_argument("--seed", type=int, default=0, help="fixes every draw")
    run.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    run.add_argument(
        "--images", metavar="FOLDER",
        help="of additive-toy: MNIST's IDX files [default: scikit-learn's digits]",
    )  # fmt: skip

    create = add("create", commands.create, "Make a SynTone and write it to disk.")
    _add_grid(create)
    create.add_argument(
        "--file_path", default="syntone.npz", help="file, or folder of shards or audio"
    )
    create.add_argument(
        "--format", default="npz", choices=("npz", "shards", "wav", "flac"),
        help="train takes npz and shards; wav and flac are for other tools",
    )  # fmt: skip
    create.add_argument("--rows_per_shard", type=int, default=4096, help="of --format shards")

    train = add("train", commands.train, "Train VAEs on a data set.")
    train.add_argument("--dataset", help="an .npz file or a folder of shards [default: a SynTone]")
    train.add_argument("--path", default="runs/train", help="run folder, one folder a model inside")
    train.add_argument(
        "--objective", nargs="+", default=list(STUDIED), choices=OBJECTIVES, help="one or more"
    )
    train.add_argument(
        "--protocol",
        **PROTOCOLS,
        help="[default: the shards' own, published for an .npz file, corrected without --dataset]",
    )
    train.add_argument(
        "--model", default="conv3", choices=MODELS,
        help="conv3 and conv4 are SynTone's; docs/training.md tells of all",
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
    train.add_argument(
        "--schedule", default="constant", choices=("constant", "cosine"), help="of the rate"
    )
    train.add_argument(
        "--warmup_steps", type=int, default=0, help="steps over which the rate rises from zero"
    )
    train.add_argument("--patience", type=int, help="epochs without progress before stopping early")
    seeds = train.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=int, default=0, help="fixes every draw")
    seeds.add_argument(
        "--seeds", type=int, nargs="+", metavar="SEED",
        help="a model for each, trained in step, in run folders such as PATH/vae/seed=0",
    )  # fmt: skip
    train.add_argument(
        "--compile", default="measure", choices=COMPILE, help="torch.compile where it is faster"
    )
    train.add_argument(
        "--memory_format", default="measure", choices=MEMORY_FORMATS, help="of the weights"
    )
    train.add_argument(
        "--dtype", default="measure", choices=DTYPES, help="of the arithmetic; tf32 on CUDA alone"
    )
    train.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...")
    train.add_argument("--tensorboard", action="store_true", help="write its events, too")

    sweep = add(
        "sweep", commands.sweep, "Train and score a grid of objectives, options, sizes and seeds."
    )
    sweep.add_argument("file", metavar="FILE", help="YAML: pydoc fastdis.studies.sweep shows one")
    sweep.add_argument("--path", help="folder of the sweep [default: runs/ and the file's name]")
    sweep.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, ...; each worker's")
    sweep.add_argument(
        "--engine", default="process", choices=("process", "dask"),
        help="models in step in this process, or a task a model on a Dask cluster",
    )  # fmt: skip
    sweep.add_argument(
        "--scheduler", metavar="ADDRESS", help="of --engine dask [default: DASK_SCHEDULER_ADDRESS]"
    )

    _add_eval(add("eval", commands.eval, "Score trained models, or files of factors and codes."))

    export = add("export", commands.export, "Write a trained model for use elsewhere.")
    export.add_argument("--path", required=True, help="the run folder of the model")
    export.add_argument(
        "--format", default="both", choices=("safetensors", "torch_export", "both"),
        help="weights and their description, graphs for torch alone, or both",
    )  # fmt: skip
    export.add_argument("--to", metavar="FOLDER", help="where to write [default: PATH/export]")
    export.add_argument(
        "--which", default="last", choices=("best", "last"), help="of the run's weights"
    )

    report = add("report", commands.report, "Write a finished study's report page again.")
    report.add_argument("--path", required=True, help="the run folder")
    report.add_argument(
        "--style", default="text", choices=("text", "markdown"), help="of the table"
    )

    bench = add(
        "bench", commands.bench, "Time every kernel against its peers here; about two minutes."
    )
    bench.add_argument("--json", metavar="FILE", help="also write the figures to a file")

    info = add("info", commands.info, "What runs on what here.")
    info.add_argument("--audit", metavar="DATASET", help="also audit an .npz file or shards")
    return parser


def _add_grid(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--variant", default="published", **PROTOCOLS, help="of the data set")
    parser.add_argument("--sample_rate", type=int, default=16000, help="in Hz")
    parser.add_argument("--freq_start", type=float, default=440.0, help="in Hz")
    parser.add_argument("--freq_end", type=float, help="in Hz [default: the variant's]")
    parser.add_argument("--num_freqs", type=int, default=400, help="levels of frequency")
    parser.add_argument("--amp_start", type=float, default=0.1, help="0 to 1")
    parser.add_argument("--amp_end", type=float, help="[default: the variant's]")
    parser.add_argument("--num_amps", type=int, default=20, help="levels of amplitude")


def _add_eval(parser: argparse.ArgumentParser) -> None:
    models = parser.add_argument_group("models", "by both protocols and by the panel of metrics")
    models.add_argument("--model", nargs="+", help="run folders of models")
    models.add_argument("--num_experiments", type=int, help="runs of a protocol [default: 10]")
    models.add_argument("--dataset", help="score on this set [default: the one trained on]")
    files = parser.add_argument_group("files", "by the panel alone, without a model")
    files.add_argument("--codes", help="a .npy, .npz or .parquet file of N rows, one column a code")
    files.add_argument("--factors", help="such a file of N rows, one column a factor")
    files.add_argument("--bins", type=int, help="of a code [default: the convention's]")
    files.add_argument(
        "--binning", choices=("equal_width", "quantile"), help="[default: equal_width]"
    )
    files.add_argument(
        "--discrete", choices=("yes", "no"),
        help="whether factors keep their levels [default: the columns tell]",
    )  # fmt: skip
    files.add_argument(
        "--convention", choices=CONVENTIONS, help="how metrics are computed [default: standard]"
    )
    files.add_argument("--estimator", choices=ESTIMATORS, help="[default: plugin]")
    files.add_argument(
        "--active", choices=("informative",), help="codes that are scored [default: all]"
    )
    panel = parser.add_argument_group("the panel")
    panel.add_argument("--metrics", nargs="+", metavar="NAME", help="metrics or groups of them")
    panel.add_argument(
        "--bootstrap", type=int, default=0, metavar="N", help="resamples for confidence intervals"
    )
    panel.add_argument("--seed", type=int, default=0, help="fixes every draw")
    several = "; of several models, a file each: FILE-MODEL"
    panel.add_argument("--json", metavar="FILE", help=f"also write the scores{several}")
    panel.add_argument("--parquet", metavar="FILE", help="the same as a table")
    panel.add_argument(
        "--heat_map", metavar="FILE", help="draw the mutual information (.png, .svg or .pdf)"
    )


def parse_with_config(parser: argparse.ArgumentParser, arguments: list[str]) -> argparse.Namespace:
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
