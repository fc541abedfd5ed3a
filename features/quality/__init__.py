"""The data-quality report of a site: what it sent, what was mended and refused of it, and what to do about it."""
