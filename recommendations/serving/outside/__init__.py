"""Services of shops as sources of lists: asked before lists are made, and what each process hears of them."""
