# dom0: the LogVM, without a network. Its store is made by hand, with a seed from the vault (docs/guides/install.md).
{%- from "logchain/settings.jinja" import logvm, template, volume %}

{{ logvm }}:
  qvm.vm:
    - present:
      - template: {{ template }}
      - label: black
    - prefs:
      - netvm: ""
      - autostart: true
      - memory: 400
      - maxmem: 800
    - service:
      - enable:
        - logchain

logchain-volume:
  cmd.run:
    - name: qvm-volume extend {{ logvm }}:private {{ volume }}
    - unless: test "$(qvm-volume info {{ logvm }}:private size)" -ge "$(numfmt --from=auto {{ volume | replace("B", "") }})"
    - require:
      - qvm: {{ logvm }}
