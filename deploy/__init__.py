"""Ways to run Tallygate: the demo on one machine, and what a real installation starts from."""
