"""Copy speeds from benchmarks/RESULTS.md: five into the README, all into docs/performance.md."""

import re
import textwrap
from pathlib import Path

from pages import filled

from fastdis.reports.text import markdown_lines

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
COMMAND = "python docs/make/performance_page.py"
# How the rows of the README begin in RESULTS.md (work, peer), and how the README names them.
FIVE = {
    ("additive, 40 partials", "NumPy"): ("additive synthesis, 40 partials", "NumPy"),
    ("melspectrogram 2048", "torch.stft"): ("mel spectrogram 2048/512/128", "torch.stft, filters"),
    ("cqt of 60 bins", "librosa, in batches"): (
        "constant-Q transform, 60 bins",
        "librosa, batched",
    ),
    ("all histogram metrics", "a loop"): ("all histogram metrics, 10 x 5", "scikit-learn"),
    ("training SynTone's", "the reference"): ("training SynTone's VAE", "eager PyTorch"),
}


def after(heading, line):
    """Makes a table, or a list wrapped to 99 characters, from what follows ``heading``."""

    def made(results):
        section = results[results.index(heading) :]
        lines = re.search(rf"\n\n((?:{line}.*\n)+)", section)[1].splitlines()
        if line == "- ":
            lines = [textwrap.fill(each, 99, subsequent_indent="  ") for each in lines]
        return "\n".join(lines)

    return made


SPEED = after("## Speed", r"\|")


def five(results):
    """The README's table."""
    cells = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in SPEED(results).split("\n")
    ]
    rows = []
    for (work, peer), (short_work, short_peer) in FIVE.items():
        row = next(row for row in cells if row[0].startswith(work) and row[1].startswith(peer))
        rows.append([short_work, row[2], f"{short_peer}: {row[3]}", row[4].strip("*")])
    return markdown_lines(["work", "fastdis", "peer", "ratio"], rows)


PAGES = {
    ROOT / "README.md": {"speed": five},
    ROOT / "docs" / "performance.md": {
        "speed": SPEED,
        "limits": after("Rows under 40% of their limit", "- "),
    },
}


def written(page):
    """The page with its tables made anew."""
    return filled(page.read_text(), COMMAND, PAGES[page], RESULTS.read_text())


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(written(page))
