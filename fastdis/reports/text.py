"""Answers without a page: in short for a terminal, whole for a Markdown file."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from fastdis import _validation
from fastdis.reports import table_view
from fastdis.reports.results import Results
from fastdis.reports.table import Answer, Table


def answers_text(results: Results, style: str = "text") -> str:
    """What was asked and found.

    Parameters
    ----------
    results
        What :func:`fastdis.reports.write` takes.
    style
        ``"text"``, questions and answers for a terminal; ``"markdown"``, with paragraphs and
        tables, but without figures.

    Returns
    -------
    str
        Ended by a newline.

    Raises
    ------
    ValueError
        If ``style`` is neither of the two.
    """
    _validation.choice("style", style, ["text", "markdown"])
    each = answer_markdown if style == "markdown" else _text
    return "\n\n".join(each(answer) for answer in results.answers) + "\n"


def answer_markdown(answer: Answer, pictures: Sequence[str] = ()) -> str:
    """One answer with its tables; ``pictures`` are the paths of its figures, all or none."""
    figures = [
        f"![{figure.alt}]({path})\n\n*{figure.caption}*"
        for figure, path in zip(answer.figures, pictures, strict=False)
    ]
    tables = [markdown_table(table) for table in answer.tables]
    head = [f"### {answer.question}", f"**{answer.answer}**"]
    return "\n\n".join([*head, *answer.paragraphs, *tables, *figures])


def _text(answer: Answer) -> str:
    return f"{answer.question}\n{textwrap.indent(textwrap.fill(answer.answer, 96), '  ')}"


def markdown_table(table: Table) -> str:
    """A table under its caption, the best numbers bold."""
    shown = table_view.view(table)
    lines = [
        [title for title, _ in shown.columns],
        ["---:" if numbers else "---" for _, numbers in shown.columns],
        *([f"**{cell.text}**" if cell.best else cell.text for cell in row] for row in shown.rows),
    ]
    text = "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )
    return "\n\n".join(part for part in (f"{table.caption}:", text, table.note) if part)
