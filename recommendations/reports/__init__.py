"""What lists brought, rolled up from the archive by hour and by item, so that pages read few rows."""
