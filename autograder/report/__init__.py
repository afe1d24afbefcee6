"""Views of a `Report`: the terminal, one HTML page, and the files of a graded submission."""
