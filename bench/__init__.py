"""Measured figures: how fast the package is, and the fit of its calibrations."""
