"""What if: a tariff or pool on given numbers, a draft on an issued month. Nothing is kept."""
