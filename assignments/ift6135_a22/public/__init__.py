"""Records of the public checks; `pytest` in the folder above runs them."""
