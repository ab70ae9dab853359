"""How errors grow with what goes wrong in the input: ``python -m experiments.robustness``."""
