# The LogVM's template.
logchain:
  pkg.installed: []
