"""Benchmarks: each module measures one subject and writes ``benchmarks/results/NAME.json``."""
