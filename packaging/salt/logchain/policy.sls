# dom0: the policy, once the LogVM is there. `logchain-dom0-setup` checks it, and what is there is kept.
{%- from "logchain/settings.jinja" import logvm %}

include:
  - logchain.logvm

logchain-dom0:
  pkg.installed: []

logchain-policy:
  cmd.run:
    - name: logchain-dom0-setup install --yes --logvm {{ logvm }}
    - unless: logchain-dom0-setup show --logvm {{ logvm }} | cmp -s - /etc/qubes/policy.d/30-logchain.policy
    - require:
      - qvm: {{ logvm }}
      - pkg: logchain-dom0
