"""A bank of synthetic keys of a realistic shape, and what it is compared with."""
