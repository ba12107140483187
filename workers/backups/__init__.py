"""Backups of a home with a database and banks of its own: made while it works, put back as a whole."""
