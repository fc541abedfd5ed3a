"""Real servers for tests and benchmarks: each on a free port of 127.0.0.1, with a data folder of its own."""
