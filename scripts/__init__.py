"""Scripts that are modules: what draws the pictures of the docs, and what counts for their tables."""
