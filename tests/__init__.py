"""Tests, in the tree of the code they test."""
