"""From readings to the usage that bills rest on: wanted, asked for, measured, checked."""
