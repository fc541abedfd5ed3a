"""The forgiving boundary: what shops send, put into the form of the contract, and what was done to it."""
