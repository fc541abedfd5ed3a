"""Start, watch and stop all processes of an installation on one machine."""
