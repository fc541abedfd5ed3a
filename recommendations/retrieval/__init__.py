"""Candidate sources, one file each; ``sources`` names them all."""
