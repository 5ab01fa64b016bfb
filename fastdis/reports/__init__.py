"""Results -> score tables, figures, sounds and one self-contained HTML page.

``write(results, path)`` makes the page; ``score_table(results)`` is its score table alone, and
``answers_text(results)`` what was asked and found, for a terminal or a Markdown file.

``page`` lays out what ``views`` tells of a model; ``shown`` asks the model and its data for what is
seen and heard (``gallery`` computes it, ``pictures`` and ``figures`` draw, ``media`` encodes);
``maps`` are its codes; ``tables``, ``panel`` and ``answer_table`` are numbers as text.
"""

from fastdis.reports.comparison import score_table
from fastdis.reports.json_summary import summary
from fastdis.reports.page import write
from fastdis.reports.results import ModelResult, Results
from fastdis.reports.table import Answer, Figure, Table
from fastdis.reports.text import answer_markdown, answers_text

__all__ = [
    "Answer", "Figure", "ModelResult", "Results", "Table", "answer_markdown", "answers_text",
    "score_table", "summary", "write",
]  # fmt: skip
