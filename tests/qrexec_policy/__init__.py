"""What dom0 gets: the policy, the service's options, and what puts the policy in place."""
