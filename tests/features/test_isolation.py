"""A loop over sites goes on where one of them fails, and stops where all of them would."""

from __future__ import annotations

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from hypothesis import given
from hypothesis import strategies as st

from features import metrics
from features.exceptions import StoreUnavailable
from features.isolation import isolated
from tracking.exceptions import LogUnavailable

SITES = ("alpha", "beta", "gamma", "delta")
TASK = "some-task"


@pytest.mark.expects_errors(r"tasks\.site_failed")
@given(st.sets(st.sampled_from(SITES)), st.sampled_from([ZeroDivisionError, OverflowError, KeyError, OSError]))
def test_every_other_site_has_its_turn(failing: set[str], error: type[Exception]) -> None:
    before = {site: _failures(site) for site in SITES}
    done = []
    for site in SITES:
        with isolated(TASK, site):
            if site in failing:
                raise error("a mistake of ours")
            done.append(site)

    assert done == [site for site in SITES if site not in failing]
    assert {site for site in SITES if _failures(site) == before[site] + 1} == failing


@pytest.mark.parametrize("error", [StoreUnavailable, LogUnavailable, SoftTimeLimitExceeded, MemoryError])
def test_what_concerns_all_sites_ends_the_loop(error: type[Exception]) -> None:
    with pytest.raises(error), isolated(TASK, "alpha"):
        raise error("unavailable")


def _failures(site: str) -> float:
    return metrics.SITE_FAILURES.labels(task=TASK, site=site)._value.get()
