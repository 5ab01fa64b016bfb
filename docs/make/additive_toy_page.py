"""Fill the tables of ``docs/additive_toy.md`` from the committed figures, or from a new run.

    fastdis run additive-toy                                         # trains, measures
    python docs/make/additive_toy_page.py runs/additive-toy-quick    # keeps the figures, fills
    python docs/make/additive_toy_page.py                            # fills from the figures

The figures of the run are kept in ``benchmarks/results/additive-toy.json``.
"""

import argparse
import base64
import textwrap
from pathlib import Path

import pages

from fastdis import _files, reports, studies
from fastdis.reports.text import markdown_lines
from fastdis.studies.recipe import SUMMARY

HERE = Path(__file__).resolve().parent
DOCS, FIGURES = HERE.parent, HERE.parents[1] / "benchmarks" / "results" / "additive-toy.json"
PAGE = DOCS / "additive_toy.md"
COMMAND = "python docs/make/additive_toy_page.py"
REPEAT = "fastdis run additive-toy --preset quick --seed 0"


def settings(found):
    """The settings of the run, as a table."""
    return markdown_lines(["setting", ""], list(found["settings"].items()))


def section(question):
    """What fills the section of a question: its line, its table, and the table's note."""

    def text(found):
        answer = next(each for each in found["answers"] if each["question"] == question)
        (table,) = (reports.Table(**each) for each in answer["tables"])
        shown = reports.answer_markdown(reports.Answer("", "", tables=[table]))
        lines = [line for line in shown.splitlines() if line.startswith("|")]
        parts = [f"**{answer['answer']}**", f"{table.caption}:", "\n".join(lines), table.note]
        return "\n\n".join(
            part if part.startswith("|") else textwrap.fill(part, 99) for part in parts if part
        )

    return text


def keep(path):
    """Keep the figures and the picture of a finished run."""
    results = studies.load(path)
    if results.repeat != [REPEAT]:
        raise SystemExit(f"path takes a run of {REPEAT!r}, got one of {results.repeat[0]!r}")
    pictures = [figure for answer in results.answers for figure in answer.figures]
    for number, figure in enumerate(pictures, 1):
        file = DOCS / f"additive-toy-{number}.png"
        file.write_bytes(base64.b64decode(figure.uri.split(",", 1)[1]))
    _files.write_json(FIGURES, _files.read_json(path / SUMMARY, "a study's results"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("path", type=Path, nargs="?", help="the folder of a new run")
    path = parser.parse_args().path
    if path is not None:
        keep(path)
    found = _files.read_json(FIGURES, "a study's results")
    questions = [answer["question"] for answer in found["answers"]]
    tables = {"settings": settings, **{question: section(question) for question in questions}}
    page = pages.filled(PAGE.read_text(encoding="utf-8"), COMMAND, tables, found)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
