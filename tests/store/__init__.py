"""Tests of the only room that writes the store: real files, and faults at the edge of the system."""
