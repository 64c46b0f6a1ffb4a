"""log-exporter: ships a qube's logs to the LogVM; standard library only."""
