"""Cameras, rotations, the ground, virtual rigs and triangulation: JAX, any leading batch axes."""
