"""Animals: outlines, coats and poses of each species, and their rendering."""
