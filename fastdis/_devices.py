"""The device of a run: check its name, and give each process a GPU of its own."""

from __future__ import annotations

import os

import torch


def check_device(device: str) -> torch.device:
    """The torch device of the name ``device``.

    Raises
    ------
    RuntimeError
        If there is no CUDA device where one is asked for.
    ValueError
        If ``device`` is another name.
    """
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        found = torch.device("meta")  # refused below
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"device takes 'cpu', 'cuda' or 'cuda:N', got {device!r}")
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise RuntimeError(
            f"device {device!r} was asked for; there are {torch.cuda.device_count()} CUDA devices"
        )
    return found


def device_of(device: torch.device) -> torch.device:
    """The device of this process: for ``"cuda"`` a GPU of its own for each process of a machine.

    Raises
    ------
    RuntimeError
        If there are fewer GPUs than processes, or one GPU was named for all.
    """
    local, beside = (int(os.environ.get(key, "-1")) for key in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    if device.type != "cuda" or local < 0:
        return device
    if beside > 1 and device.index is not None:
        raise RuntimeError(
            f"device takes 'cuda' for {beside} processes on one machine, got '{device}'"
        )
    if local >= torch.cuda.device_count():
        raise RuntimeError(
            f"device 'cuda' takes a CUDA device for each of {beside} processes on one machine, "
            f"there are {torch.cuda.device_count()}"
        )
    return torch.device("cuda", local) if device.index is None else device
