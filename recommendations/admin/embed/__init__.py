"""Whether a shop has embedded what it needs."""
