"""Real processes whose system calls fail, or are their last (strace), one after the other."""
