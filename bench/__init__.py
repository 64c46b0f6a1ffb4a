"""Measurements: ratios between what logchain does and what a user would use instead, in one run."""
