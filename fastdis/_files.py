"""Files that are whole or not there: written beside and renamed; read with a clear error."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; renamed to ``path`` at the end, removed on an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        with open(partial, "rb") as file:
            os.fsync(file.fileno())  # else a power cut could leave a renamed, empty file
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def reading(
    path: str | Path, what: str, errors: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn the errors of a truncated or foreign file into a ValueError that names it."""
    damage: tuple[type[Exception], ...] = (*errors, EOFError, UnicodeDecodeError)
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"no such file: {path} (wanted {what})") from None
    except damage as error:
        raise ValueError(f"{path} is truncated or is not {what}: {error}") from error


def write_json(path: str | Path, data: Any) -> None:
    """Write ``data`` as JSON, beside and renamed."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: str | Path, what: str) -> Any:
    """The JSON in ``path``; ``what`` names it in an error."""
    with reading(path, what, (json.JSONDecodeError,)):
        return json.loads(Path(path).read_text(encoding="utf-8"))


def remove_partial(folder: str | Path) -> None:
    """Remove what a killed process left half-written in ``folder``."""
    for partial in Path(folder).glob("*.partial"):
        partial.unlink(missing_ok=True)
