"""Tests of the exporter, with a stand-in for the collector at the outer edge."""
