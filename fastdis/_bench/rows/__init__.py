"""The rows of the table, one module per stage; ``suite.py`` puts them together."""
