"""Settings of a training run: how much of the log fits into its memory."""

from __future__ import annotations

from recommendations.training.settings import interactions_within


def test_a_training_reads_as_much_as_fits_into_its_memory() -> None:
    assert interactions_within(16_384, n_items=1_000_000) > 50_000_000
    assert 20_000_000 < interactions_within(8_192, n_items=100_000) < 40_000_000
    assert interactions_within(512, n_items=100) == 1_000_000
