"""Run uvicorn with a clean stop from the first moment: ``python -m recsite.server.web``, and uvicorn's own options.

uvicorn sets its handlers once the application is imported, which takes a second or two; SIGTERM before that would end
the process with -15, and in a container, as process 1, would be ignored.
"""

from __future__ import annotations

import sys
from typing import Final

from recsite.server import stop_signals

DISTRUST: Final = "--no-proxy-headers"
"""uvicorn takes ``X-Forwarded-For`` from whoever connects from this machine; the settings say whom we take it from."""


def main() -> None:
    """Take SIGTERM, then hand the command line to uvicorn."""
    stop_signals.exit_on_sigterm()
    if not {"--proxy-headers", "--no-proxy-headers"} & set(sys.argv):
        sys.argv.append(DISTRUST)
    from uvicorn.main import main as uvicorn_main  # heavy: only after the handler is set

    uvicorn_main()


if __name__ == "__main__":  # worker processes import this module, too
    main()
