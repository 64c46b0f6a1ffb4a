"""Tests of logchain.compress."""
