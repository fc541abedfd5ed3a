"""Offline training: from interactions to fitted arrays; never imported when serving."""
