"""Motions against the truth: `lift2to3 eval`."""
