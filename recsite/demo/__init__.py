"""The demo shop: a catalogue, pictures and shoppers that the project makes itself, and the pages that show them."""
