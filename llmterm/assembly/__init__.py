"""Builds the program's objects out of settings: the only place, with `cli`, where anything is constructed.

What is expensive to import is imported here, at the moment it is needed: the HTTP client with the first provider, the
prompt with the first chat.
"""
