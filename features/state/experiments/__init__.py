"""Pure: which arms of experiments a user is in, what the user did since, and the sums over all users of an arm."""
