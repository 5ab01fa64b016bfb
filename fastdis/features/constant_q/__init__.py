"""The constant-Q transform and its inverses: plan, filters, analysis, phases, least squares."""
