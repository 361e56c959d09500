"""Physics: units, specifications, counts, calibrations, the engine and the explainer."""
