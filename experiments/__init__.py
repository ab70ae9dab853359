"""Training and evaluation, run from the root of the repository: ``python -m experiments.evaluate``."""
