"""The plan of a sweep: a YAML file as cells, checked as a whole before anything is trained."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from fastdis import _files, _validation, datasets, models, objectives, training
from fastdis.datasets import registry
from fastdis.metrics.evaluation import names_of
from fastdis.training.batches import plan_batches
from fastdis.training.many import equal_budget
from fastdis.training.run_folder import folder_name

# Options of a TrainConfig that a sweep sets itself, or that its caller sets.
_SET_ELSEWHERE = ("seed", "path", "progress", "device")
_TRAINING = [each.name for each in fields(training.TrainConfig) if each.name not in _SET_ELSEWHERE]
_KEYS = (
    "dataset", "model", "protocol", "objectives", "latent_dim", "seeds", "metrics", "bootstrap",
    *_TRAINING,
)  # fmt: skip
# Fast metrics, each of another property; DCI has three scores.
METRICS = ("mig", "dci", "modularity", "sap", "jemmig")
# YAML 1.1 reads 1e-3 and 1e3 as text: its numbers need a dot, as 1.0e-3.
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


@dataclass(frozen=True)
class SweepCell:
    """One model to train and score.

    Attributes
    ----------
    objective, options
        The objective's name, and those of its options that the file names.
    weights
        The options that are buffers, in which concurrently trained models may differ.
    latent_dim, seed
        Of the model.
    """

    objective: str
    options: dict[str, Any]
    weights: tuple[str, ...]
    latent_dim: int
    seed: int

    @property
    def group(self) -> str:
        """The folder of all cells that may be trained concurrently with this one."""
        apart = {key: value for key, value in self.options.items() if key not in self.weights}
        return "_".join([self.objective, folder_name({**apart, "latent_dim": self.latent_dim})])

    @property
    def label(self) -> str:
        """The cell's folder below ``cells``, as ``train_many`` names it."""
        own = {**{key: self.options[key] for key in self.weights}, "seed": self.seed}
        return f"{self.group}/{folder_name(own)}"


@dataclass(frozen=True)
class SweepSettings:
    """What all cells of a sweep share, as plain values.

    ``config`` holds options of a TrainConfig; FactorVAE takes twice its epochs and batch size.
    """

    dataset: dict[str, Any]
    model: str
    protocol: str
    config: dict[str, Any]
    metrics: list[str]
    bootstrap: int

    def train_config(self, objective: str, **where: Any) -> training.TrainConfig:
        """The training options of an objective's models."""
        sizes = equal_budget(objective, self.config["epochs"], self.config["batch_size"])
        return training.TrainConfig(**{**self.config, **sizes, **where})

    def objective(self, cell: SweepCell) -> objectives.Objective:
        """The objective of a cell."""
        return objectives.build(cell.objective, protocol=self.protocol, **cell.options)


@dataclass(frozen=True)
class SweepPlan:
    """A sweep: its settings, its cells, and the text of its YAML file."""

    settings: SweepSettings
    cells: list[SweepCell]
    text: str


def plan(asked: str | Path | Mapping[str, Any]) -> SweepPlan:
    """The plan of a sweep from its YAML file, or from a mapping of what the file holds.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no such data set.
    TypeError, ValueError
        If a key, an option or a value is unknown (the error names the near miss), a cell occurs
        twice, or a model does not fit the data set or a batch the clips.
    """
    import yaml

    given = _numbers(asked if isinstance(asked, Mapping) else _read(asked))
    for key in given:
        _validation.choice("a sweep's key", key, _KEYS)
    dataset, protocol = _dataset(given.get("dataset", {"name": "SynTone"}), given.get("protocol"))
    config = training.TrainConfig(**{key: given[key] for key in _TRAINING if key in given}, path="")
    settings = SweepSettings(
        dataset.options(),
        _validation.choice("model", given.get("model", "conv3"), models.names()),
        protocol,
        {key: value for key, value in asdict(config).items() if key in _TRAINING},
        names_of(given.get("metrics", METRICS)),
        _resamples(given.get("bootstrap", 0)),
    )
    cells = list(_cells(given, settings))
    _check_each_once(cells, settings)
    _check_each_fits(cells, settings, dataset)
    text = yaml.safe_dump(
        dict(given), sort_keys=False, allow_unicode=True, default_flow_style=None
    )  # fmt: skip
    return SweepPlan(settings, cells, text)


def _read(path: str | Path) -> dict[str, Any]:
    import yaml

    with _files.reading(path, "a YAML file of a sweep", (yaml.YAMLError,)):
        options = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    if not isinstance(options, dict):
        raise ValueError(f"{path} takes a mapping of keys, got {_validation.describe(options)}")
    return options


def _numbers(value: Any) -> Any:
    """Texts such as ``1e-3`` as numbers, at any depth."""
    if isinstance(value, Mapping):
        return {key: _numbers(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(each) for each in value]
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _dataset(given: Any, protocol: str | None) -> tuple[datasets.Dataset, str]:
    """The data set and the protocol, by default that of the data set."""
    if isinstance(given, str):  # workers may run in another folder
        return registry.open_stored(str(Path(given).resolve()), protocol)
    if not isinstance(given, Mapping) or "name" not in given:
        got = _validation.describe(given)
        raise TypeError(f"dataset takes a path, or a mapping with a name, got {got}")
    try:
        known = datasets.build({"name": given["name"]}).options()
    except TypeError:  # a stored set needs a path
        got = _validation.describe(given)
        raise ValueError(f"dataset takes the path of a stored set by itself, got {got}") from None
    for key in given:
        _validation.choice(f"options of data set {given['name']!r}", key, known)
    protocol = _validation.protocol("protocol", protocol or given.get("variant", "corrected"))
    variant = {"variant": protocol} if "variant" in known else {}
    return datasets.build({**variant, **given}), protocol


def _cells(asked: Mapping[str, Any], settings: SweepSettings) -> Iterator[SweepCell]:
    seeds = _seeds(asked.get("seeds", 1))
    sizes = [
        _validation.integer("latent_dim", size) for size in _values("latent_dim", asked, default=8)
    ]
    for name, options in _objectives(asked.get("objectives", [])):
        for size, each in itertools.product(sizes, _combinations(name, options)):
            built = objectives.build(name, protocol=settings.protocol, **each)
            # As the objective keeps them, sorted: 4 and 4.0 are one folder, in any order.
            kept = {key: built.options[key] for key in sorted(each)}
            weights = tuple(kept.keys() & dict(built.named_buffers()).keys())
            yield from (SweepCell(name, kept, tuple(sorted(weights)), size, seed) for seed in seeds)


def _objectives(given: Any) -> list[tuple[str, dict[str, Any]]]:
    """Names, each with its options."""
    if not isinstance(given, list) or not given:
        got = _validation.describe(given)
        raise TypeError(f"objectives takes a list of names, or of mappings with one, got {got}")
    found = []
    for number, each in enumerate(given):
        if isinstance(each, Mapping) and "name" in each:
            name, options = each["name"], {k: v for k, v in each.items() if k != "name"}
        elif isinstance(each, Mapping):
            got = _validation.describe(each)
            raise ValueError(f"objectives[{number}] takes a mapping with a name, got {got}")
        else:
            name, options = each, {}
        found.append((_validation.choice("objectives", name, objectives.names()), options))
    return found


def _combinations(name: str, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    lists = [_values(key, options, f" of {name!r}") for key in options]
    return (dict(zip(options, each, strict=True)) for each in itertools.product(*lists))


def _values(
    key: str, options: Mapping[str, Any], where: str = "", default: Any = None
) -> list[Any]:
    """One value or a list of them, as a list."""
    given = options.get(key, default)
    values = given if isinstance(given, list) else [given]
    if not values or any(value in values[:i] for i, value in enumerate(values)):
        got = _validation.describe(given)
        raise ValueError(f"{key}{where} takes a value or a list of different ones, got {got}")
    return values


def _seeds(given: Any) -> list[int]:
    """``5`` stands for the seeds 0 to 4; a list for its own."""
    if not isinstance(given, list):
        return list(range(_validation.integer("seeds", given)))
    listed = _values("seeds", {"seeds": given})
    return [_validation.integer("seeds", seed, 0, 2**32 - 1) for seed in listed]


def _resamples(given: Any) -> int:
    if _validation.integer("bootstrap", given, 0) == 1:
        raise ValueError("bootstrap takes 0 or at least 2 resamples, got 1")
    return int(given)


def _check_each_once(cells: Sequence[SweepCell], settings: SweepSettings) -> None:
    """Compare cells by all options of their objectives, named in the file or not."""
    seen: dict[tuple[Any, ...], str] = {}
    for cell in cells:
        options = settings.objective(cell).options
        key = (cell.objective, cell.latent_dim, cell.seed, tuple(sorted(options.items())))
        if key in seen:
            raise ValueError(
                f"objectives takes each cell once, got one twice: as {seen[key]} and {cell.label}"
            )
        seen[key] = cell.label


def _check_each_fits(
    cells: Sequence[SweepCell], settings: SweepSettings, dataset: datasets.Dataset
) -> None:  # fmt: skip
    for cell in {cell.group: cell for cell in cells}.values():
        model = models.build(settings.model, cell.latent_dim, dataset.feature_shape, seed=0)
        config = settings.train_config(cell.objective, path="")
        plan_batches(model, settings.objective(cell), dataset, config, 1)
