"""Rules of merchandisers: one file an action, what all share in ``base``, the table of actions in ``registry``."""
