"""What merchandisers and engineers steer: placements, rules, model versions and their training."""

from recommendations.models.experiments import Arm, Experiment, ExperimentDay, HoldOut, Metric
from recommendations.models.merchandising import Campaign, Placement, RecalledItem, Rule, RuleVersion
from recommendations.models.own_sources import HttpSource, Leaderboard
from recommendations.models.reports import ReportHour, ReportItemDay, ReportState, SavedView
from recommendations.models.training import TrainingPolicy, TrainingRun
from recommendations.models.versions import DriftReference, HealthReport, ModelVersion

__all__ = [
    "Arm",
    "Campaign",
    "DriftReference",
    "Experiment",
    "ExperimentDay",
    "HealthReport",
    "HoldOut",
    "HttpSource",
    "Leaderboard",
    "Metric",
    "ModelVersion",
    "Placement",
    "RecalledItem",
    "ReportHour",
    "ReportItemDay",
    "ReportState",
    "Rule",
    "RuleVersion",
    "SavedView",
    "TrainingPolicy",
    "TrainingRun",
]
