"""Results -> score tables, figures, sounds and one self-contained HTML page.

``write(results, path)`` makes the page; ``score_table(results)`` is its score table alone, and
``answers_text(results)`` the questions and answers, for a terminal or a Markdown file.

``page`` puts together what the page shows: of each model a ``model_view``, with its ``gallery`` of
pictures and sounds (``model_samples`` runs the model, ``figures`` draws, ``data_uris`` encodes) and
its ``latent_maps``; and each ``table`` of numbers: the ``score_tables`` beside those of a paper,
the ``panel`` of all metrics, the tables of answers. ``sweep`` is the report of a sweep.
"""

from fastdis.reports.page import write
from fastdis.reports.results import Answer, Figure, ModelResult, Results, summary
from fastdis.reports.score_tables import score_table
from fastdis.reports.table import Table
from fastdis.reports.text import answer_markdown, answers_text

__all__ = [
    "Answer", "Figure", "ModelResult", "Results", "Table", "answer_markdown", "answers_text",
    "score_table", "summary", "write",
]  # fmt: skip
