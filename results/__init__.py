"""Runs that take longer than a chapter may: one folder each, with its script and its table."""
