"""Losses, the training state and the one training loop for every model."""
