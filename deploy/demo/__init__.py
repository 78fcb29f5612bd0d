"""The demo: a simulated community, a gateway, bills and pages, all on this machine."""
