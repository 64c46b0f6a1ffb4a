"""Taking lines out as evidence, and handing them over."""
