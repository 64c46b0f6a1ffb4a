"""The witness of logchain: remembers how far each ledger has come, and signs only what goes on from there."""

__version__ = "0.1.0"
