"""What a draft would do: real requests of the last hour, kept without anybody's identity, answered once more."""
