# dom0: its own logs.
{%- from "logchain/settings.jinja" import logvm %}

include:
  - logchain.policy

logchain-exporter:
  pkg.installed: []

logchain-dom0-configuration:
  file.managed:
    - name: /etc/log-exporter.toml
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
      - file: logchain-dom0-configuration

log-exporter:
  service.running:
    - enable: true
    - watch:
      - file: logchain-dom0-configuration
      - file: logchain-dom0-target
    - require:
      - pkg: logchain-exporter
