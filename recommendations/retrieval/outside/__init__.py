"""Candidate sources that a shop runs itself and that are asked over HTTP: contract, connection, circuit breaker."""
