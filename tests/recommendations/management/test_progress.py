"""Progress on a terminal is a bar a step; in a log it is a line a step, once."""

from __future__ import annotations

import io

from rich.console import Console

from recommendations.management.progress import StepProgress


def shown(*, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)
    with StepProgress(console) as progress:
        for done in range(3):
            progress("fit", done, 2)
        progress("fit", 2, 2)
        progress("nothing to do", 0, 0)
        progress("rank", 1, 5)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_without_a_terminal_each_finished_step_is_one_line() -> None:
    assert shown(terminal=False) == "fit: done\nnothing to do: done\n"


def test_on_a_terminal_each_step_is_a_bar_with_what_is_done_of_it() -> None:
    drawn = shown(terminal=True)

    assert "2/2" in drawn
    assert "1/5" in drawn
    assert "0/1" in drawn, "a step of nothing still has a length"
