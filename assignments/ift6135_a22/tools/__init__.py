"""The tools of this assignment, to be started in its folder: python -m tools.export, python -m tools.zip."""
