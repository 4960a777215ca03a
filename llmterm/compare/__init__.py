"""One question and several models that answer it at once, to be looked at side by side."""
