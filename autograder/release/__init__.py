"""From the masters to what students get: stubs, bundles, and the guard that no solution leaves with them."""

from autograder.release.bundle import parse_masters, release_assignment, release_files, stale
from autograder.release.folder import ReleaseError
from autograder.release.markers import MarkerError, fill

__all__ = ["MarkerError", "ReleaseError", "fill", "parse_masters", "release_assignment", "release_files", "stale"]
