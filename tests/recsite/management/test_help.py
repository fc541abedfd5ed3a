"""Every command of ours says with ``--help`` what it does and what each option means."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = {
    name: app
    for name, app in get_commands().items()
    if isinstance(app, str) and (ROOT / app.replace(".", "/") / "management" / "commands" / f"{name}.py").exists()
}


def test_there_are_commands() -> None:
    assert {"up", "import_items", "import_events", "stream", "doctor"} <= COMMANDS.keys()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_can_be_printed_and_explains_each_option(name: str) -> None:
    command = load_command_class(COMMANDS[name], name)
    parser = command.create_parser("manage.py", name)

    assert command.help
    assert f"manage.py {name}" in parser.format_help()
    for action in parser._actions:
        assert action.help or not action.option_strings, f"--help does not explain {action.option_strings}"
        for each in action.choices.values() if isinstance(action.choices, dict) else ():
            assert each.format_help()
