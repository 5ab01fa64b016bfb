"""Write the answers and pictures of ``docs/additive_toy.md`` from a finished run of the study.

    fastdis run additive-toy                                          # trains, measures
    python docs/make/additive_toy_page.py runs/additive-toy-quick    # writes the page

The figures of the run go to ``benchmarks/results/additive-toy.json``.
"""

import argparse
import base64
from pathlib import Path

import pages

from fastdis import _files, reports, studies
from fastdis.studies.recipe import SUMMARY

HERE = Path(__file__).resolve().parent
DOCS, RESULTS = HERE.parent, HERE.parents[1] / "benchmarks" / "results" / "additive-toy.json"
PAGE = DOCS / "additive_toy.md"
COMMAND = "python docs/make/additive_toy_page.py runs/additive-toy-quick"


def settings(results):
    """The run's settings, as a table."""
    rows = [[key, value] for key, value in results.settings.items()]
    return pages.markdown(["setting", ""], [*rows, ["to repeat it", f"`{results.repeat[0]}`"]])


def answers(results):
    """Every answer with its tables, and its pictures as files beside the page."""
    texts, number = [], 0
    for answer in results.answers:
        names = []
        for figure in answer.figures:
            number += 1
            names.append(f"additive-toy-{number}.png")
            (DOCS / names[-1]).write_bytes(base64.b64decode(figure.uri.split(",", 1)[1]))
        texts.append(reports.answer_markdown(answer, names))
    return "\n\n".join(texts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("path", type=Path, help="the folder of the run")
    path = parser.parse_args().path
    results = studies.load(path)
    if "--preset quick" not in results.repeat[0]:
        raise SystemExit(f"the page is of the quick preset, {path} holds another run")
    tables = {"settings": settings, "answers": answers}
    page = pages.filled(PAGE.read_text(encoding="utf-8"), COMMAND, tables, results)
    PAGE.write_text(page, encoding="utf-8")
    _files.write_json(RESULTS, _files.read_json(path / SUMMARY, "a study's results"))


if __name__ == "__main__":
    main()
