"""logchain: the LogVM side of Qubes OS log collection that nobody can change unnoticed."""

__all__ = ["__version__"]

__version__ = "0.1.0"
