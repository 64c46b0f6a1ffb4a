"""The examples, run with the real programs that they are for."""
