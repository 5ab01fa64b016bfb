"""What a sweep is asked for: a YAML file, checked whole before anything is trained, as cells."""

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
from fastdis.studies.recipe import alike
from fastdis.training.batches import clips_of
from fastdis.training.run_folder import folder_name

# Of a TrainConfig, what a sweep sets by itself or what is said where it is run.
_SET_ELSEWHERE = ("seed", "path", "progress", "device")
_TRAINING = [each.name for each in fields(training.TrainConfig) if each.name not in _SET_ELSEWHERE]
_KEYS = (
    "dataset", "model", "protocol", "objectives", "latent_dim", "seeds", "metrics", "bootstrap",
    *_TRAINING,
)  # fmt: skip
# Quick ones, of which each asks something else; DCI is three.
METRICS = ("mig", "dci", "modularity", "sap", "jemmig")
# 1e-3 and 1e3 are text by the letter of YAML 1.1, which wants 1.0e-3.
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


@dataclass(frozen=True)
class Cell:
    """One model to train and score.

    Attributes
    ----------
    objective, options
        Its name, and those of its options that were written down, by name.
    weights
        Which of them are buffers, in which models that are trained in one step may differ.
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
        """What it shares with the cells that it may be trained with, as a folder's name."""
        apart = {key: value for key, value in self.options.items() if key not in self.weights}
        return "_".join([self.objective, folder_name({**apart, "latent_dim": self.latent_dim})])

    @property
    def label(self) -> str:
        """The whole of it: its folder below ``cells``, as ``train_many`` names it."""
        own = {**{key: self.options[key] for key in self.weights}, "seed": self.seed}
        return f"{self.group}/{folder_name(own)}"


@dataclass(frozen=True)
class Settings:
    """What all cells of a sweep share, in plain values.

    ``config`` holds choices of a TrainConfig, its epochs and batch those of all but FactorVAE.
    """

    dataset: dict[str, Any]
    model: str
    protocol: str
    config: dict[str, Any]
    metrics: list[str]
    bootstrap: int

    def train_config(self, objective: str, **where: Any) -> training.TrainConfig:
        """How the models of an objective are trained."""
        sizes = alike(objective, self.config["epochs"], self.config["batch_size"])
        return training.TrainConfig(**{**self.config, **sizes, **where})

    def objective(self, cell: Cell) -> objectives.Objective:
        """A cell's."""
        return objectives.build(cell.objective, protocol=self.protocol, **cell.options)


@dataclass(frozen=True)
class Plan:
    """A sweep: its settings, its cells, and the text of them all."""

    settings: Settings
    cells: list[Cell]
    text: str


def plan(asked: str | Path | Mapping[str, Any]) -> Plan:
    """A sweep from its YAML file, or from what such a file holds.

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no such data set.
    TypeError, ValueError
        If a key, an option or a value is unknown (the error names the near miss), a cell is asked
        for twice, or a model does not fit the data set or a batch the clips.
    """
    import yaml

    told = _numbers(asked if isinstance(asked, Mapping) else _read(asked))
    for key in told:
        _validation.choice("a sweep's key", key, _KEYS)
    dataset, protocol = _dataset(told.get("dataset", {"name": "SynTone"}), told.get("protocol"))
    config = training.TrainConfig(**{key: told[key] for key in _TRAINING if key in told}, path="")
    settings = Settings(
        dataset.options(),
        _validation.choice("model", told.get("model", "conv3"), models.names()),
        protocol,
        {key: value for key, value in asdict(config).items() if key in _TRAINING},
        names_of(told.get("metrics", METRICS)),
        _resamples(told.get("bootstrap", 0)),
    )
    cells = list(_cells(told, settings))
    _check_each_once(cells, settings)
    _check_each_fits(cells, settings, dataset)
    text = yaml.safe_dump(
        dict(told), sort_keys=False, allow_unicode=True, default_flow_style=None
    )  # fmt: skip
    return Plan(settings, cells, text)


def _read(path: str | Path) -> dict[str, Any]:
    import yaml

    with _files.reading(path, "a YAML file of a sweep", (yaml.YAMLError,)):
        told = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    if not isinstance(told, dict):
        raise ValueError(f"{path} takes a mapping of keys, got {_validation.describe(told)}")
    return told


def _numbers(value: Any) -> Any:
    """Texts such as ``1e-3`` as the numbers that were meant, however deep."""
    if isinstance(value, Mapping):
        return {key: _numbers(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(each) for each in value]
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value


def _dataset(told: Any, protocol: str | None) -> tuple[datasets.Dataset, str]:
    """The data set and the protocol, which is by default its own."""
    if isinstance(told, str):  # workers may stand in another folder
        return registry.open_stored(str(Path(told).resolve()), protocol)
    if not isinstance(told, Mapping) or "name" not in told:
        got = _validation.describe(told)
        raise TypeError(f"dataset takes a path, or a mapping with a name, got {got}")
    try:
        known = datasets.build({"name": told["name"]}).options()
    except TypeError:  # nothing is stored under no path
        got = _validation.describe(told)
        raise ValueError(f"dataset takes the path of a stored set by itself, got {got}") from None
    for key in told:
        _validation.choice(f"options of data set {told['name']!r}", key, known)
    protocol = _validation.protocol("protocol", protocol or told.get("variant", "corrected"))
    variant = {"variant": protocol} if "variant" in known else {}
    return datasets.build({**variant, **told}), protocol


def _cells(told: Mapping[str, Any], settings: Settings) -> Iterator[Cell]:
    seeds = _seeds(told.get("seeds", 1))
    sizes = [
        _validation.integer("latent_dim", size) for size in _values("latent_dim", told, default=8)
    ]
    for name, options in _objectives(told.get("objectives", [])):
        for size, each in itertools.product(sizes, _combinations(name, options)):
            built = objectives.build(name, protocol=settings.protocol, **each)
            # As the objective keeps them: 4 and 4.0 are one folder, in whatever order.
            kept = {key: built.options[key] for key in sorted(each)}
            weights = tuple(kept.keys() & dict(built.named_buffers()).keys())
            yield from (Cell(name, kept, tuple(sorted(weights)), size, seed) for seed in seeds)


def _objectives(told: Any) -> list[tuple[str, dict[str, Any]]]:
    """Names, each with its options."""
    if not isinstance(told, list) or not told:
        got = _validation.describe(told)
        raise TypeError(f"objectives takes a list of names, or of mappings with one, got {got}")
    found = []
    for number, each in enumerate(told):
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


def _values(key: str, told: Mapping[str, Any], where: str = "", default: Any = None) -> list[Any]:
    """One value or a list of them, as a list."""
    given = told.get(key, default)
    values = given if isinstance(given, list) else [given]
    if not values or any(value in values[:i] for i, value in enumerate(values)):
        got = _validation.describe(given)
        raise ValueError(f"{key}{where} takes a value or a list of different ones, got {got}")
    return values


def _seeds(told: Any) -> list[int]:
    """``5`` is the five from 0 to 4; a list is itself."""
    if not isinstance(told, list):
        return list(range(_validation.integer("seeds", told)))
    listed = _values("seeds", {"seeds": told})
    return [_validation.integer("seeds", seed, 0, 2**32 - 1) for seed in listed]


def _resamples(told: Any) -> int:
    if _validation.integer("bootstrap", told, 0) == 1:
        raise ValueError("bootstrap takes 0 or at least 2 resamples, got 1")
    return int(told)


def _check_each_once(cells: Sequence[Cell], settings: Settings) -> None:
    """By all options, whether they were written down or not."""
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
    cells: Sequence[Cell], settings: Settings, dataset: datasets.Dataset
) -> None:  # fmt: skip
    for cell in {cell.group: cell for cell in cells}.values():
        model = models.build(settings.model, cell.latent_dim, dataset.feature_shape, seed=0)
        config = settings.train_config(cell.objective, path="")
        clips_of(model, settings.objective(cell), dataset, config, 1)
