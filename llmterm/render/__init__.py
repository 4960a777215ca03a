"""What an answer looks like: untrusted text made safe, markdown cut into lines, and lines put on a screen."""
