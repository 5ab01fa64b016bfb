"""Results -> score tables, figures, sounds and one self-contained HTML page.

``write(results, path)`` makes the page; ``score_table(results)`` is its score table alone, for a
terminal or a Markdown file.
"""

from fastdis.reports.page import write
from fastdis.reports.results import ModelResult, Results
from fastdis.reports.summary import summary
from fastdis.reports.tables import score_table

__all__ = ["ModelResult", "Results", "score_table", "summary", "write"]
