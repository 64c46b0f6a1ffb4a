"""The witness: its formats, what it answers, what it keeps, and the person who looks after it."""
