"""What is written down and drawn of the demo rows; `seed.py` fills the tables with it."""
