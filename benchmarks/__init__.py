"""How fast, how small, how good: each benchmark measures its peer or its floor in the same run."""
