"""What merchandisers and engineers steer: placements, rules, model versions and their training."""

from recommendations.models.merchandising import Placement, Rule, RuleVersion
from recommendations.models.training import TrainingPolicy, TrainingRun
from recommendations.models.versions import DriftReference, HealthReport, ModelVersion

__all__ = [
    "DriftReference",
    "HealthReport",
    "ModelVersion",
    "Placement",
    "Rule",
    "RuleVersion",
    "TrainingPolicy",
    "TrainingRun",
]
