"""logchain: the LogVM side of Qubes OS log collection that nobody can change unnoticed."""
