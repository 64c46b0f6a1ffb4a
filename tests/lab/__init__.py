"""The packages, installed in Debian 13 under a real systemd: `make lab`."""
