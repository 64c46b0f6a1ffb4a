# dom0: its own logs.
{%- from "logchain/settings.jinja" import logvm %}

include:
  - logchain.policy

logchain-exporter:
  pkg.installed: []

/etc/log-exporter.toml:
  file.managed:
    - source: /usr/share/logchain/dom0/log-exporter.toml
    - replace: false
    - require:
      - pkg: logchain-dom0

logchain-dom0-target:
  file.replace:
    - name: /etc/log-exporter.toml
    - pattern: "-d [^ ]+ 'DEFAULT:"
    - repl: "-d {{ logvm }} 'DEFAULT:"
    - require:
      - file: /etc/log-exporter.toml

log-exporter:
  service.running:
    - enable: true
    - watch:
      - file: /etc/log-exporter.toml
    - require:
      - pkg: logchain-exporter
