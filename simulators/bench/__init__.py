"""A test bench: any number of meters of one type, of whatever type, without a community."""
