"""What an installation on one machine writes, and which processes it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from recsite.supervisor.installation import Installation


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    return Installation(
        project=tmp_path / "project", data=tmp_path / "data", host="127.0.0.1", port=8010, web_workers=3, demo=True
    )


def test_the_secret_is_made_once_and_is_its_owners(place: Installation) -> None:
    secret = place.secret_key()
    assert len(secret) >= 50
    assert place.secret_key() == secret
    assert (place.data / "secret_key").stat().st_mode & 0o077 == 0


def test_commands_of_another_terminal_find_what_was_chosen(place: Installation) -> None:
    place.make_folders()
    place.write_env_file({"REDIS_URL": "redis://127.0.0.1:1/0"})
    assert place.env_file.read_text().splitlines()[1:] == ["REDIS_URL=redis://127.0.0.1:1/0", "RECSITE_DEMO=1"]
    assert place.env_file.stat().st_mode & 0o077 == 0


def test_metrics_of_dead_processes_are_not_counted_again(place: Installation) -> None:
    place.make_folders()
    (place.prometheus / "counter_1.db").touch()
    place.make_folders()
    assert list(place.prometheus.iterdir()) == []


def test_what_was_chosen_wins_over_the_environment(place: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:6379/0")
    assert place.environment({"REDIS_URL": "redis://here:6379/0"})["REDIS_URL"] == "redis://here:6379/0"


def test_every_process_takes_an_early_stop(place: Installation) -> None:
    processes = [*place.processes({}), place.shoppers({}, "http://127.0.0.1:8010")]
    assert [process.name for process in processes] == ["stream", "web", "tasks", "beat", "shoppers"]
    assert all(process.takes_sigterm for process in processes)
    web = processes[1].command
    assert web[web.index("--workers") + 1] == "3"
