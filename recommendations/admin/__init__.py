"""Screens for merchandisers and engineers, one file a screen."""

from recommendations.admin.experiments import ExperimentAdmin, HoldOutAdmin
from recommendations.admin.own.http_sources import HttpSourceAdmin
from recommendations.admin.own.leaderboards import LeaderboardAdmin
from recommendations.admin.placements import PlacementAdmin
from recommendations.admin.reporting.reports import SavedViewAdmin
from recommendations.admin.rules import RuleAdmin
from recommendations.admin.steering.campaigns import CampaignAdmin
from recommendations.admin.steering.recalls import RecalledItemAdmin
from recommendations.admin.trainings import TrainingPolicyAdmin, TrainingRunAdmin
from recommendations.admin.versions import ModelVersionAdmin

__all__ = [
    "CampaignAdmin",
    "ExperimentAdmin",
    "HoldOutAdmin",
    "HttpSourceAdmin",
    "LeaderboardAdmin",
    "ModelVersionAdmin",
    "PlacementAdmin",
    "RecalledItemAdmin",
    "RuleAdmin",
    "SavedViewAdmin",
    "TrainingPolicyAdmin",
    "TrainingRunAdmin",
]
