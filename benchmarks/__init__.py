"""Ratios, measured side by side: `python -m benchmarks`. Never part of the tests."""
