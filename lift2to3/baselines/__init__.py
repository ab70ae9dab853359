"""Baselines behind the lifter's signature."""
