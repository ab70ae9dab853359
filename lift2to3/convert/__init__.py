"""Files to records and back: other programs' bodies in, exports out."""
