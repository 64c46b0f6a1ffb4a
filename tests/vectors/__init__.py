"""The test vectors, their generator, and the reading of the spec pages that it writes."""
