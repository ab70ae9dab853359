"""Refined feet measured: ``python -m experiments.feet.evaluate``, ``.ablation`` and ``.measure``."""
