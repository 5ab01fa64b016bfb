"""Audits: which factors the features keep, the representation erases, or noise hides."""
