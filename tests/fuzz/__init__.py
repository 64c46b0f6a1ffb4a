"""Every parser of bytes that somebody else may have written, under a coverage-guided fuzzer (`make fuzz`)."""
