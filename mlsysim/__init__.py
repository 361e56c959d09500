"""First-principles performance of machine-learning systems."""
