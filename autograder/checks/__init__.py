"""The hidden checks, one folder for each assignment."""
