"""Experiments and hold-outs: who is in which arm, what the arms brought, and how sure that is."""
