"""Copy the speed table of benchmarks/RESULTS.md, and what was tried, into docs/performance.md."""

import re
import textwrap
from pathlib import Path

from pages import filled

ROOT = Path(__file__).resolve().parents[2]
RESULTS, PAGE = ROOT / "benchmarks" / "RESULTS.md", ROOT / "docs" / "performance.md"
COMMAND = "python docs/make/performance_page.py"


def after(heading, line):
    """Makes a table, or a list wrapped to 99 characters, from what follows ``heading``."""

    def made(results):
        section = results[results.index(heading) :]
        lines = re.search(rf"\n\n((?:{line}.*\n)+)", section)[1].splitlines()
        if line == "- ":
            lines = [textwrap.fill(each, 99, subsequent_indent="  ") for each in lines]
        return "\n".join(lines)

    return made


TABLES = {
    "speed": after("## Speed", r"\|"),
    "tried": after("Rows that do not reach their ratio", "- "),
    "limits": after("Rows under 40% of their limit", "- "),
}

if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(), COMMAND, TABLES, RESULTS.read_text()))
