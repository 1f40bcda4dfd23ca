"""`python -m utils COMMAND`: one module a command."""
