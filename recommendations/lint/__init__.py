"""What is wrong with a set of rules and placements before it is served, in words that say what to do. Pure."""
