"""Denoisers, the pointmap encoder and the diffusion process. A model never sees a dataset."""
