"""What fails beneath the product: each system call of real processes (strace), and the power at any moment."""
