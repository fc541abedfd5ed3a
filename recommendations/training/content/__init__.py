"""Vectors of items from their texts and pictures: made in the background, never imported when serving."""
