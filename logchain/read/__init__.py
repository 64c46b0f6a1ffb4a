"""Looks at a store and never writes."""
