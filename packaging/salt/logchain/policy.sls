# dom0: the policy, once the LogVM is there. `logchain-dom0-setup` checks it, and what is there is kept.
{%- from "logchain/settings.jinja" import logvm, policy %}
{%- set options = "--logvm " ~ logvm ~ (" " ~ policy if policy else "") %}

include:
  - logchain.logvm

logchain-dom0:
  pkg.installed: []

logchain-policy:
  cmd.run:
    - name: logchain-dom0-setup install --yes {{ options }}
    - unless: logchain-dom0-setup show {{ options }} | cmp -s - /etc/qubes/policy.d/30-logchain.policy
    - require:
      - qvm: {{ logvm }}
      - pkg: logchain-dom0
