"""Small faults made in logchain's code on purpose, to see that the tests notice each (`make mutants-store`)."""
