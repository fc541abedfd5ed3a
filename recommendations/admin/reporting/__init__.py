"""Reports of the roll-ups, and the views of them that people keep."""
