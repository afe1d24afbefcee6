"""What Gradescope is given, and what it is told."""
