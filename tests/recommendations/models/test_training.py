"""The training policy refuses what a training would refuse."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from recommendations.models import TrainingPolicy
from recommendations.training.data.dataset import InvalidDataset
from recommendations.training.settings import TrainingSettings


@pytest.mark.parametrize("clip", [0.0, 0.5, 1.0, 1.5, 10.0])
def test_a_position_correction_is_taken_by_the_policy_where_training_takes_it(clip: float) -> None:
    def is_taken_by_training() -> bool:
        try:
            TrainingSettings(position_clip=clip)
        except InvalidDataset:
            return False
        return True

    def is_taken_by_policy() -> bool:
        try:
            TrainingPolicy(position_clip=clip).clean()
        except ValidationError as error:
            return "position_clip" not in error.message_dict
        return True

    assert is_taken_by_policy() is is_taken_by_training() is (clip not in (0.5, 1.0))


def test_the_usual_policy_is_valid_but_for_its_site() -> None:
    with pytest.raises(ValidationError) as caught:
        TrainingPolicy().full_clean(validate_unique=False)

    assert list(caught.value.message_dict) == ["site"]
