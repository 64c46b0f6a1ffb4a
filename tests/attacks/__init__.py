"""What somebody who can write the disk may do to a store, and that verify finds it."""
