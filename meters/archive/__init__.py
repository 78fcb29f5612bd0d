"""Archives: where readings are kept, written once, one protocol for every adapter."""
