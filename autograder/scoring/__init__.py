"""Scores of generated samples: the frozen classifier, how samples are drawn and judged, what an instructor is told."""
