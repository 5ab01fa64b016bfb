"""Tables and answers without a page: for a terminal, and for a Markdown file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from fastdis import _validation
from fastdis.reports.results import Answer, Results
from fastdis.reports.table import Cell, Table


def text_table(table: Table) -> str:
    """A table for a terminal: columns aligned, the best numbers marked by ``*``."""
    titles = ["" if heading.hidden else heading.text for heading in table.headings]
    lines = [titles]
    if any(heading.detail for heading in table.headings):
        lines.append([heading.detail for heading in table.headings])
    for heading, rows in table.sections:
        if heading:
            lines.append([_together(heading)])
        for name, *cells in rows:
            marked = [_together(cell) + ("*" if cell.best else " ") for cell in cells]
            lines.append([("  " if heading else "") + _together(name), *marked])
    widths = [max(len(line[i]) for line in lines if len(line) > 1) for i in range(len(titles))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=False)]
        ).rstrip()
        for line in lines
    )


def markdown_table(table: Table, group_title: str = "") -> str:
    """A table in Markdown, the best numbers bold, between its caption and its note.

    Where the rows are in groups, a first column ``group_title`` names the group of each row.
    """
    grouped = [Cell(group_title)] if table.groups else []
    lines = [[", ".join(filter(None, (h.text, h.detail))) for h in [*grouped, *table.headings]]]
    for heading, rows in table.sections:
        group = [heading] if heading else []
        lines += [[_bold(cell) for cell in [*group, *row]] for row in rows]
    numbers = [heading.number for heading in [*grouped, *table.headings]]
    text = markdown_lines(lines[0], lines[1:], numbers)
    caption = f"{table.title.text}:" if table.title.text else ""
    return "\n\n".join(filter(None, (caption, text, table.note)))


def markdown_lines(
    head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[bool] = ()
) -> str:
    """The lines of a table in Markdown; columns of ``numbers`` are aligned right."""
    rule = ["---:" if number else "---" for number in numbers or [False] * len(head)]
    lines = [[_escaped(cell) for cell in line] for line in (head, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _together(cell: Cell) -> str:
    return f"{cell.text} {cell.detail}".rstrip()


def _bold(cell: Cell) -> str:
    return f"**{_together(cell)}**" if cell.best else _together(cell)


def answers_text(results: Results, style: str = "text") -> str:
    """The questions of a study and their answers.

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
