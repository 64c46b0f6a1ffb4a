"""What is installed beside the programs: units, users, directories."""
