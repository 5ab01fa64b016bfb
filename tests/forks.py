"""Processes that start at once: forked from one that has imported torch and has not used it yet."""

from __future__ import annotations

import contextlib
import json
import multiprocessing

import pytest
import torch

SECONDS = 240  # many times what each takes on a busy machine; a hang fails here
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["torch._dynamo", "tests.training.parallel_runs", "tests.training.exact_runs"]
)


def start(target, *arguments):
    """Call ``target(*arguments)`` in a process of its own."""
    process = _CONTEXT.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def ended(*processes):
    """Their exit codes; a hang fails here."""
    for process in processes:
        process.join(SECONDS)
    late = [process for process in processes if process.is_alive()]
    for process in late:
        process.kill()
        process.join()
    if late:
        pytest.fail(f"{len(late)} of {len(processes)} processes did not end in {SECONDS} s")
    return [process.exitcode for process in processes]


@contextlib.contextmanager
def telling(file):
    """One thread, and a dictionary that is in ``file`` at the end, with the error if there is one.

    The exit code is then 1.
    """
    torch.set_num_threads(1)
    told = {"error": ""}
    try:
        yield told
    except BaseException as error:
        told["error"] = f"{type(error).__name__}: {error}"
        raise SystemExit(1) from None
    finally:
        file.write_text(json.dumps(told))
