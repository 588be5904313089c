"""Benchmarks against peers and limits: each figure is a ratio from one run, or a count against a promise."""
