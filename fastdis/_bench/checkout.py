"""What only a checkout has, in ``benchmarks/``: peers written for the rows, and ``limits/peak.c``.

An installed package measures the rows that do without them, and says which it leaves out.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRESENT = (ROOT / "benchmarks" / "peers" / "__init__.py").is_file()

if PRESENT and str(ROOT) not in sys.path:  # rows import ``benchmarks.peers`` when they are measured
    sys.path.insert(0, str(ROOT))
