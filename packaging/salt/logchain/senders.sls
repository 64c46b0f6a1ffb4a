# dom0: which qubes send their logs. Taking a name out of the list does not switch it off: qvm-service QUBE log-exporter off
{%- from "logchain/settings.jinja" import senders %}
{%- for sender in senders %}

logchain-sender-{{ sender }}:
  qvm.service:
    - name: {{ sender }}
    - enable:
      - log-exporter
{%- endfor %}
