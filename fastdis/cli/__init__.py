"""The command line: parse, call, print. Heavy imports wait until a command runs."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence

from fastdis.cli.parser import command_parser, parse_with_config, show_warning


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (2 for a user's mistake, 130 after Ctrl-C)."""
    parser = command_parser()
    try:
        options = parse_with_config(parser, list(sys.argv[1:] if arguments is None else arguments))
        command: Callable[[argparse.Namespace], None] = options.command
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            command(options)
    except KeyboardInterrupt:
        print("\nstopped; what was finished is kept", file=sys.stderr)
        return 130
    except MemoryError as error:
        print(f"fastdis: not enough memory: {error}", file=sys.stderr)
        return 1
    except (ValueError, TypeError, OSError, ImportError, IndexError, RuntimeError) as error:
        print(f"fastdis: {error}", file=sys.stderr)
        return 2
    except FloatingPointError as error:
        print(f"fastdis: {error}", file=sys.stderr)
        return 1
    return 0
