"""Real logs into Recsite: through the same contract, the same log and the same stream worker as live traffic."""
