"""How the database is opened and written, whatever tables are in it; it knows nothing of Flask."""
