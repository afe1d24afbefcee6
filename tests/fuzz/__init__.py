"""Hostile bytes for everything that reads a stranger's: bounded in the tests, for as long as wanted by `make fuzz`."""
