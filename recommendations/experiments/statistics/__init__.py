"""Pure: statistics of experiments on sums, so that no visitor is kept; each function names its source.

Sums may be numbers or arrays of equal shape, one entry an experiment, a day or a run of a simulation.
"""
