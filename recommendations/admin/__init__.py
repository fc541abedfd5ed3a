"""Screens for merchandisers and engineers, one file a screen."""

from recommendations.admin.placements import PlacementAdmin
from recommendations.admin.rules import RuleAdmin
from recommendations.admin.trainings import TrainingPolicyAdmin, TrainingRunAdmin
from recommendations.admin.versions import ModelVersionAdmin

__all__ = ["ModelVersionAdmin", "PlacementAdmin", "RuleAdmin", "TrainingPolicyAdmin", "TrainingRunAdmin"]
