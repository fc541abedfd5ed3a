"""Screens for experiments and hold-outs."""

from recommendations.admin.experiments.experiments import ExperimentAdmin
from recommendations.admin.experiments.hold_outs import HoldOutAdmin

__all__ = ["ExperimentAdmin", "HoldOutAdmin"]
