"""All SQL of billing, a noun a module. Functions take a connection; who calls them commits."""
