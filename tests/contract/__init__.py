"""One contract for all providers: whatever the wire, the same answer, the same failures, the same silence after."""
