"""Tests of the room that looks at a store and never writes."""
