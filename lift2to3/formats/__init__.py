"""File formats of motion, one module a format: reading and writing live together."""
