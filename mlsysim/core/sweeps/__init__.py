"""Sweeps: whole grids of questions in one call, with the answers labelled."""
