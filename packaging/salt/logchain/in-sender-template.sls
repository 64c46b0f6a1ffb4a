# Each template of qubes that send.
logchain-exporter:
  pkg.installed: []

/etc/log-exporter.toml:
  file.managed:
    - contents: |
        [streams.journal]
        source = "journald"
    - replace: false
