"""Training state on disk: safetensors with JSON beside the tensors in one file, no pickle.

One file holds everything a run needs to go on, so that a kill between two writes cannot leave
weights of one step beside the optimizer of another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fastdis import _files

FORMAT, VERSION = "fastdis-checkpoint", 1


def save(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and JSON state, beside and renamed.

    Raises
    ------
    OSError
        If the disk is full or cannot be written; what was there before stays.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    metadata = {"format": FORMAT, "version": str(VERSION), "state": json.dumps(state)}
    # A copy each: safetensors refuses channels-last strides and tensors that share memory.
    copies = {
        key: torch.empty(t.shape, dtype=t.dtype).copy_(t.detach()) for key, t in tensors.items()
    }
    with _files.replacing(path) as partial:
        try:
            save_file(copies, partial, metadata)
        except SafetensorError as error:  # its word for a full disk, too
            raise OSError(f"cannot write {path}: {error}") from error


def load(path: Path) -> tuple[dict[str, Tensor], Any]:
    """The tensors and the state that :func:`save` wrote.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is truncated, foreign, or of another version.
    """
    from safetensors import SafetensorError, safe_open

    what = "a fastdis checkpoint"
    with (
        _files.reading(path, what, (SafetensorError, json.JSONDecodeError)),
        safe_open(path, framework="pt") as file,
    ):
        metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT:
            raise ValueError(f"{path} is not {what}")
        if metadata.get("version") != str(VERSION):
            raise ValueError(
                f"{path} is of version {metadata.get('version')}, this reads {VERSION}"
            )
        return {key: file.get_tensor(key) for key in file.keys()}, json.loads(metadata["state"])  # noqa: SIM118


def of_module(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """The weights of a module, named ``prefix.key``; a compiled module's own wrapper left out."""
    raw = getattr(module, "_orig_mod", module)
    return {f"{prefix}.{key}": value for key, value in raw.state_dict().items()}


def of_optimizer(prefix: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state tensors of an optimizer, named ``prefix.parameter.key``."""
    return {
        f"{prefix}.{index}.{key}": torch.as_tensor(value)
        for index, values in optimizer.state_dict()["state"].items()
        for key, value in values.items()
    }


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {k.removeprefix(start): t for k, t in tensors.items() if k.startswith(start)}


def into_module(prefix: str, module: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load the weights that :func:`of_module` named.

    Raises
    ------
    ValueError
        If they are another architecture's; the error names the first difference.
    """
    mine, theirs = module.state_dict(), _under(prefix, tensors)
    for key in sorted(mine.keys() | theirs.keys()):
        got = tuple(theirs[key].shape) if key in theirs else "nothing"
        takes = tuple(mine[key].shape) if key in mine else "nothing"
        if got != takes:
            raise ValueError(
                f"{path} holds another architecture: {key} takes {takes} here, got {got}"
            )
    module.load_state_dict(theirs)


def into_optimizer(
    prefix: str, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Load the state that :func:`of_optimizer` named; learning rates stay the optimizer's own."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for key, value in _under(prefix, tensors).items():
        index, _, name = key.partition(".")
        parameter = parameters[int(index)]
        # A fused step walks state and weights as one stretch of memory: the same strides in both.
        like = torch.empty_like(parameter) if value.shape == parameter.shape else value
        optimizer.state[parameter][name] = like.to(parameter.device).copy_(value)
