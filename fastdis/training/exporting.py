"""Export a trained model: raw weights with a description, or graphs that need torch alone.

From ``model.safetensors`` and ``config.json`` :func:`load_exported` makes the model again;
``encoder.pt2`` and ``decoder.pt2`` (``torch.export``) run where this package is not installed.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fastdis import __version__, _files, _validation, models
from fastdis.training import checkpoints, run_folder, trained

FORMAT, VERSION = "fastdis-model", 1
FORMATS = ("safetensors", "torch_export")
MODEL, CONFIG, ENCODER, DECODER = "model.safetensors", "config.json", "encoder.pt2", "decoder.pt2"
_WHAT = "an exported model's config.json"


def export(
    path: str | Path,
    to: str | Path | None = None,
    formats: Iterable[str] = FORMATS,
    which: str = "last",
) -> dict[str, Path]:
    """Write the model of a run folder for use elsewhere; every file beside and renamed.

    Parameters
    ----------
    path
        The run folder.
    to
        The folder to write to, ``path/export`` by default. What an earlier export left there is
        replaced, file by file.
    formats
        One or more of: ``"safetensors"``, the weights under the names of the model's own state
        (``model.safetensors``) and ``config.json``, for :func:`load_exported`; ``"torch_export"``,
        ``encoder.pt2``, features ``(B, C, F, frames)`` -> mean and log-variance ``(B, D)``, and
        ``decoder.pt2``, codes ``(B, D)`` -> ``(B, C, F, frames)``, of any B, on the CPU, for
        ``torch.export.load(file).module()``. Each holds ``config.json`` as an extra file.
    which
        ``"last"`` or ``"best"``.

    Returns
    -------
    dict
        The files written: ``"model"`` and ``"config"``, ``"encoder"`` and ``"decoder"``.

    Raises
    ------
    FileNotFoundError
        If the folder holds no run, or no such checkpoint.
    ValueError
        If a format is unknown, the run is damaged, or ``to`` holds a run or anything else with a
        ``config.json`` of its own.
    OSError
        If ``to`` cannot be written, or another process is writing to it.
    """
    several = isinstance(formats, Iterable) and not isinstance(formats, str)
    names = [
        _validation.choice("formats", name, FORMATS) for name in (formats if several else [formats])
    ]
    if not names:
        raise ValueError(f"formats takes at least one of {', '.join(map(repr, FORMATS))}, got none")
    model = trained.load(path, which=which).model
    model.to(memory_format=torch.contiguous_format)  # what other readers of the weights expect
    description = _describe(Path(path), model, which)
    folder = Path(path) / "export" if to is None else Path(to)
    _check_target(folder)
    written: dict[str, Path] = {}
    with _files.only_writer(folder):
        _files.remove_partial(folder)
        if "safetensors" in names:
            written |= _write_weights(folder, model, description)
        if "torch_export" in names:
            written |= _write_graphs(folder, model, description)
    return written


def load_exported(folder: str | Path) -> Any:
    """The model that :func:`export` wrote as safetensors, on the CPU, for evaluation.

    Reads JSON and safetensors alone: nothing in the folder is run.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is truncated, altered or foreign, of another version, or the two do not belong
        together.
    """
    config, weights = Path(folder) / CONFIG, Path(folder) / MODEL
    description = _files.read_json(config, _WHAT)
    if not _is_export(description):
        raise ValueError(f"{config} is not {_WHAT}")
    version = description.get("version")
    if version != VERSION:
        raise ValueError(f"{config} is of version {version}, this reads {VERSION}")
    with _files.reading(config, _WHAT, (AttributeError, KeyError, TypeError, ValueError)):
        model = models.build(**description["model"], seed=0)
        model.to({"float32": torch.float32, "float64": torch.float64}[description["dtype"]])
        digest = str(description["sha256"])
    with _files.reading(weights, "an exported model"):
        data = weights.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{weights} is damaged or not of {config}: its SHA-256 differs")
    from safetensors.torch import load

    named = {f"model.{key}": value for key, value in load(data).items()}
    checkpoints.into_module("model", model, named, weights)
    return model.eval()


def _describe(path: Path, model: Any, which: str) -> dict[str, Any]:
    """The contents of ``config.json``: the model, its objective and its data set."""
    with _files.reading(path / run_folder.CONFIG, "a run's config.json", (KeyError, TypeError)):
        objective = _files.read_json(path / run_folder.CONFIG, "a run's config.json")["objective"]
    return {
        "format": FORMAT,
        "version": VERSION,
        "model": model.options(),
        "feature_shape": list(model.input_shape),
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "objective": objective,
        "dataset": trained.dataset_options(path),
        "which": which,
        "versions": {"fastdis": __version__, "torch": torch.__version__},
    }


def _is_export(description: Any) -> bool:
    return isinstance(description, dict) and description.get("format") == FORMAT


def _check_target(folder: Path) -> None:
    """Check before the graphs are traced that the folder can be written and holds nothing else."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"to takes a folder that can be written, got {folder}: {reason}") from None
    config = folder / CONFIG
    if config.exists():
        try:
            is_export = _is_export(_files.read_json(config, _WHAT))
        except ValueError:
            is_export = False
        if not is_export:
            raise ValueError(
                f"to takes a folder without another {CONFIG}, such as a run's; got {folder}"
            )


def _write_weights(folder: Path, model: Any, description: dict[str, Any]) -> dict[str, Path]:
    from safetensors.torch import save

    data = save(model.state_dict(), {"format": "pt"})  # "pt" marks torch's layout
    _write(folder / MODEL, data)
    # After the weights: a stop between the two leaves a pair whose digest does not match.
    _files.write_json(folder / CONFIG, {**description, "sha256": hashlib.sha256(data).hexdigest()})
    return {"model": folder / MODEL, "config": folder / CONFIG}


def _write_graphs(folder: Path, model: Any, description: dict[str, Any]) -> dict[str, Path]:
    like = next(model.parameters())
    parts: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
        ENCODER: (_Encoder(model), tuple(model.input_shape)),
        DECODER: (_Decoder(model), (model.latent_dim,)),
    }
    for name, (part, shape) in parts.items():
        _write(folder / name, _graph(part, like.new_zeros(2, *shape), description))
    return {"encoder": folder / ENCODER, "decoder": folder / DECODER}


def _graph(part: nn.Module, example: Tensor, description: dict[str, Any]) -> bytes:
    """An exported program for any batch size; torch would fix a size of 1 in the example."""
    program = torch.export.export(
        _without_unused(part, example),
        (example,),
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        strict=False,
    )
    file = io.BytesIO()  # so that a full disk is an OSError of this package's own write
    torch.export.save(program, file, extra_files={CONFIG: json.dumps(description)})
    return file.getvalue()


def _without_unused(part: nn.Module, example: Tensor) -> nn.Module:
    """A copy without the weights that its outputs do not depend on; torch would save them, too."""
    part = copy.deepcopy(part).requires_grad_()
    outputs = part(example)
    total = sum(out.sum() for out in (outputs if isinstance(outputs, tuple) else (outputs,)))
    named = dict(part.named_parameters())
    slopes = torch.autograd.grad(total, list(named.values()), allow_unused=True)
    for name, slope in zip(named, slopes, strict=True):
        if slope is None:
            owner, _, leaf = name.rpartition(".")
            part.get_submodule(owner).register_parameter(leaf, None)
    return part.requires_grad_(False)  # so that what it gives is plain data


def _write(file: Path, data: bytes) -> None:
    with _files.replacing(file) as partial:
        partial.write_bytes(data)


class _Encoder(nn.Module):
    """Features ``(B, C, F, frames)`` -> mean and log-variance of q(z|x), each ``(B, D)``."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        mean, logvar = self.model.encode(features)
        return mean, logvar


class _Decoder(nn.Module):
    """Codes ``(B, D)`` -> the mean of p(x|z), ``(B, C, F, frames)``."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor) -> Tensor:
        x_hat: Tensor = self.model.decode(z)
        return x_hat
