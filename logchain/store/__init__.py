"""The only room that writes the store."""
