"""Beside the form of a placement: the real widget with what is typed just now."""
