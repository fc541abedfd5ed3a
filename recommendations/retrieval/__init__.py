"""Candidate sources, one file each; ``registry.SOURCES`` names them all."""
