"""What a request may cost: its price, its turn among those of other addresses, its share of a quota."""
