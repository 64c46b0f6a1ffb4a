"""The click commands, thin."""
