"""Exporter, collector, store and verify together, as real processes."""
