"""The contests of `scripts/benchmark.py`, a module for each of its parts."""
