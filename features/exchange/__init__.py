"""Exchange rates of a site: reading tables of them, keeping them, and what is missing."""
