"""Files are written beside their place and renamed, and read with errors that name them."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import tempfile
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


def remove_partial(folder: str | Path, name: str = "") -> None:
    """Remove half-written files that killed processes left in ``folder``, or those of ``name``."""
    for partial in Path(folder).glob("*.partial"):
        found = re.fullmatch(r"(.+)\.(\d+)\.partial", partial.name)
        if found and name in ("", found[1]) and not _alive(int(found[2])):
            partial.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()


@contextmanager
def only_writer(folder: str | Path) -> Iterator[None]:
    """Make ``folder`` and keep other processes from writing to it meanwhile.

    Raises
    ------
    BlockingIOError
        If another process writes to it.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(f"{folder} is being written to by another process") from None
        yield
    finally:
        os.close(handle)  # releases the lock, as the end of the process does


def digest(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_writable(flag: str, file: Path) -> None:
    """Raise an OSError if ``file`` cannot be written; a file that exists stays as it is."""
    if file.is_dir():
        raise IsADirectoryError(f"{flag} takes a file, got the folder {file}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=file.parent).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(f"{flag} takes a file that can be written, got {file}: {reason}") from None
