"""Pools (公摊): what is shared, among whom, by what, and the shares that sum to it exactly."""
