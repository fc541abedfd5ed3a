"""Run uvicorn with a clean stop from the first moment: ``python -m recsite.server.web``, and uvicorn's own options.

uvicorn sets its handlers once the application is imported, which takes a second or two; SIGTERM before that would end
the process with -15, and in a container, as process 1, would be ignored.

With ``--workers`` the application is imported once, and each worker is forked from the process that did: it starts in
hundredths of a second, and what it imported lies in memory once. uvicorn itself starts a new Python for each.
"""

from __future__ import annotations

import gc
import importlib
import sys
import types
from multiprocessing.context import ForkProcess
from typing import Final

from recsite.server import stop_signals

DISTRUST: Final = "--no-proxy-headers"
"""uvicorn takes ``X-Forwarded-For`` from whoever connects from this machine; the settings say whom we take it from."""


class Worker(ForkProcess):
    """One web process of several. A SIGTERM that comes before it has handlers of its own ends it cleanly, too."""

    def start(self) -> None:
        """Fork."""
        with stop_signals.held_sigterm():
            super().start()

    def run(self) -> None:
        """Serve until the first process says stop."""
        stop_signals.exit_on_sigterm()  # not the first process's handler, which was inherited
        super().run()


def main() -> None:
    """Take SIGTERM, then hand the command line to uvicorn."""
    stop_signals.exit_on_sigterm()
    if not {"--proxy-headers", "--no-proxy-headers"} & set(sys.argv):
        sys.argv.append(DISTRUST)
    import uvicorn._subprocess  # heavy: only after the handler is set

    command_line = importlib.import_module("uvicorn.main")  # ``uvicorn.main`` is the function of that name
    application = next((each for each in sys.argv[1:2] if not each.startswith("-")), None)
    if application and "--reload" not in sys.argv:  # whoever changes code wants it imported again
        importlib.import_module(application.partition(":")[0])
        gc.freeze()  # pages that no collection writes to stay shared
        uvicorn._subprocess.spawn = types.SimpleNamespace(Process=Worker)  # type: ignore[assignment]
        from django.conf import settings

        # uvicorn's own, which it sets after ours, hides nothing personal.
        command_line.LOGGING_CONFIG = settings.LOGGING  # type: ignore[attr-defined]
    command_line.main()


if __name__ == "__main__":
    main()
