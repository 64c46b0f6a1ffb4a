"""Compares our formats with what others wrote: `make interop`, which needs their programs; no part of the tests."""
