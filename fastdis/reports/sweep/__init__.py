"""A sweep's report: its results, their table over seeds, figures, and the page."""

from fastdis.reports.sweep.page import render, write

__all__ = ["render", "write"]
