"""`python -m utils data`: everything that is wrong with a folder."""
