"""The daemon: closes, seals, compresses and evicts, and keeps the catalog."""
