"""Formulas: a small typed language of exact numbers with units, for fees that no charge covers."""
