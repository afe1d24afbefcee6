"""What students run in the folder of an assignment: a release ships these modules to them as `tools`.

Standard library alone, and of the package only modules that know nothing of checks and solutions.
"""
