"""What staff may see and do, site by site, and what is written down of it."""
