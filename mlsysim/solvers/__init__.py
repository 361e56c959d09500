"""One question a file: a result type and the solver that returns it."""
