"""log-exporter: ships a qube's logs to the LogVM; standard library only."""

__version__ = "0.1.0"
