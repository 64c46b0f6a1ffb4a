"""Tests of the collector: pure rules, real pipes, real processes."""
