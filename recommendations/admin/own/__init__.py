"""Screens for the sources that a site declares itself."""
