"""How dates and times are written, by language; found by Django through ``FORMAT_MODULE_PATH``."""
