"""Checkpoints: safetensors files that hold tensors and JSON, without pickles.

One file holds everything a run needs to go on, so that a kill between two writes cannot leave
weights of one step beside the optimizer of another. A checksum tells a file that was altered, and
the one before it stays until the next is whole.
"""

from __future__ import annotations

import json
import os
import warnings
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fastdis import _files

FORMAT, VERSION = "fastdis-checkpoint", 2


class VersionError(ValueError):
    """A whole checkpoint that another version of the package wrote."""


def save(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and JSON state, beside and renamed; what was there stays on an OSError."""
    with _files.replacing(path) as partial:
        _write(partial, path, tensors, state)


def save_rotating(
    path: Path, previous: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]
) -> None:
    """As :func:`save`; the file that was at ``path`` is then at ``previous``, in the same folder.

    A stop at any moment leaves a whole file at one of the two, for :func:`load_newest`: the new one
    is on the disk before either is renamed, and a damaged one never takes a whole one's place.
    """
    with _files.replacing(path) as partial:
        _write(partial, path, tensors, state)
        with open(partial, "rb") as file:
            os.fsync(file.fileno())  # before the renames: they could reach the disk first
        if _whole(path):
            os.replace(path, previous)


def _write(
    partial: Path, path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]
) -> None:
    from safetensors.torch import save

    plain, text = _plain(tensors), json.dumps(state)
    metadata = {"format": FORMAT, "version": str(VERSION), "state": text}
    metadata["checksum"] = _checksum(plain, text)
    data = save(plain, metadata)  # its save_file leaves a hidden file of its own after a kill
    try:
        partial.write_bytes(data)
    except OSError as error:
        raise OSError(f"cannot write {path}: {error.strerror or error}") from error


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as safetensors takes them: contiguous, and none sharing memory with another."""
    result: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key, tensor in tensors.items():
        t = tensor.detach().cpu().contiguous()
        result[key] = t.clone() if t.untyped_storage().data_ptr() in seen else t
        seen.add(t.untyped_storage().data_ptr())
    return result


def _checksum(tensors: Mapping[str, Tensor], state: str) -> str:
    """CRC-32 of the state, then of every tensor's name, dtype, shape and bytes, sorted by name."""
    crc = zlib.crc32(state.encode())
    for key in sorted(tensors):
        t = tensors[key]
        crc = zlib.crc32(f"\0{key} {t.dtype} {tuple(t.shape)}\0".encode(), crc)
        # Bytes as they lie: NumPy knows no bfloat16, and a tensor without axes has no other view.
        crc = zlib.crc32(t.reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


def load(path: Path) -> tuple[dict[str, Tensor], Any]:
    """The tensors and the state that :func:`save` wrote; a FileNotFoundError if there is no file.

    A ValueError if the file is truncated, altered, foreign, or (:class:`VersionError`) of another
    version.
    """
    from safetensors import SafetensorError, safe_open

    what = "a fastdis checkpoint"
    with _files.reading(path, what, (SafetensorError,)), safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT:
            raise ValueError(f"{path} is not {what}")
        if metadata.get("version") != str(VERSION):
            raise VersionError(
                f"{path} is of version {metadata.get('version')}, this reads {VERSION}"
            )
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    text = metadata.get("state", "")
    if metadata.get("checksum") != _checksum(tensors, text):
        raise ValueError(f"{path} is damaged: its checksum differs")
    return tensors, json.loads(text)


def load_newest(path: Path, previous: Path) -> Iterator[tuple[Path, dict[str, Tensor], Any]]:
    """The checkpoints that :func:`save_rotating` wrote, newest first: file, tensors and state.

    Each is read when it is asked for; a damaged one is skipped with a warning that names it. Yields
    nothing if neither file is there. A ValueError if none can be read, or if one
    (:class:`VersionError`) is of another version: to go on from an older one would lose work.
    """
    faults: list[str] = []
    found = False
    for each in (path, previous):
        try:
            tensors, state = load(each)
        except FileNotFoundError:
            continue
        except VersionError:
            raise
        except ValueError as fault:
            warnings.warn(f"checkpoint left out: {fault}", stacklevel=2)
            faults.append(str(fault))
        else:
            found = True
            yield each, tensors, state
    if faults and not found:
        raise ValueError(f"no checkpoint can be read: {'; '.join(faults)}")


def _whole(path: Path) -> bool:
    try:
        load(path)
    except (FileNotFoundError, ValueError):
        return False
    return True


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

    If they are of another architecture, a ValueError names the first difference.
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
    """Load the state that :func:`of_optimizer` named; learning rates stay the optimizer's own.

    The optimizer has its state already, of the dtype and strides that its fused step asks for.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for key, value in _under(prefix, tensors).items():
        index, _, name = key.partition(".")
        optimizer.state[parameters[int(index)]][name].copy_(value)
