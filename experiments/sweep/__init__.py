"""What each design choice buys: the ablation sweep, ``python -m experiments.sweep``."""
