"""The untrusted door, log-collector."""
