"""`tallygate billing` and `tallygate bill`, a module for each noun."""
