"""Names of tests: they have to be the same in every process that runs some of them."""

from __future__ import annotations

import re


def text_of(value: object) -> str:
    """``str(value)`` without the addresses of functions."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
