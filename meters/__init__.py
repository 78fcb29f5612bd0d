"""Measurement: what a meter counts, how far to trust it, and what was used. No money."""
