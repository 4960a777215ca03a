"""The other instances of the service that share its turns, and the Redis by which they do."""
