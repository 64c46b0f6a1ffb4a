"""Tests of the pure formats: vectors made from the spec pages alone, and laws."""
