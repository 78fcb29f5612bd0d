"""Payments: codes, orders, notices of providers, application to bills, refunds; no I/O here."""
