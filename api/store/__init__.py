"""All SQL of identities, of calls that happen once, and of gateways' reports."""
