"""The commands: what each one takes, what it answers, and how the answer is written."""
