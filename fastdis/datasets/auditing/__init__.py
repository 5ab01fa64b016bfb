"""Audits: which factors the features of a data set keep, lose, or bury in noise."""
